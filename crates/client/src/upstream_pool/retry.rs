//! Which requests are sent again, and how many.

use std::fmt;
use std::time::Duration;

use http::{Method, Request};
use portcullis_core::Body;
use tower::retry::budget::{Budget as _, TpsBudget};

use super::config::Retries;
use crate::error::{ClientError, ClientErrorKind};

/// Says whether a request may be sent again.
pub(super) struct Retrier {
    attempts: u32,
    budget: TpsBudget,
}

/// For how long a request counts towards the retries of others.
const BUDGET_LIFE: Duration = Duration::from_secs(10);

impl Retrier {
    /// `None` where nothing is sent again.
    pub(super) fn new(retries: &Retries) -> Option<Self> {
        // The fields were checked: both are in the range that the budget takes.
        let share = f32::from(u16::try_from(retries.budget_percent).ok()?) / 100.0;
        (retries.attempts > 0).then(|| Self {
            attempts: retries.attempts,
            budget: TpsBudget::new(BUDGET_LIFE, retries.min_per_second, share),
        })
    }

    /// A copy of the request, if it is of a kind that may be sent again after so many retries. The first one counts towards the
    /// budget.
    pub(super) fn spare(&self, request: &Request<Body>, retries: u32) -> Option<Request<Body>> {
        if retries >= self.attempts || !is_idempotent(request.method()) {
            return None;
        }
        let mut spare = Request::new(request.body().try_clone()?);
        if retries == 0 {
            self.budget.deposit();
        }
        request.method().clone_into(spare.method_mut());
        request.uri().clone_into(spare.uri_mut());
        request.headers().clone_into(spare.headers_mut());
        *spare.version_mut() = request.version();
        Some(spare)
    }

    /// Whether the budget has room for one more retry, after this failure.
    pub(super) fn may_retry(&self, error: &ClientError) -> bool {
        let pointless = matches!(
            error.kind(),
            ClientErrorKind::Address | ClientErrorKind::RequestBody | ClientErrorKind::CircuitOpen
        );
        !pointless && self.budget.withdraw()
    }
}

impl fmt::Debug for Retrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retrier")
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// RFC 9110, 9.2.2, without `TRACE`, which nobody proxies.
fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    )
}
