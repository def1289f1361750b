//! Handshakes that fail over the client's certificate: told, but not as often as clients like.

use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use portcullis_core::{Clock, SystemClock};

/// What has been told of refused clients.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    last: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    /// How many were refused since then.
    untold: u64,
}

/// One line in so long: whoever knocks all day fills no log.
const PAUSE: Duration = Duration::from_secs(1);

impl Refusals {
    /// Whether the failure is to be told: with how many there were of which nothing was said.
    pub(super) fn tell(&self, error: &io::Error) -> Option<u64> {
        if is_refusal(error) {
            self.tell_at(SystemClock::new().now())
        } else {
            None
        }
    }

    fn tell_at(&self, now: Instant) -> Option<u64> {
        let mut told = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let soon = told
            .at
            .is_some_and(|at| now.saturating_duration_since(at) < PAUSE);
        if soon {
            told.untold += 1;
            return None;
        }
        told.at = Some(now);
        Some(std::mem::take(&mut told.untold))
    }
}

/// Whether the handshake failed because the client showed no certificate, or one that is not good.
fn is_refusal(error: &io::Error) -> bool {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(
        cause,
        Some(rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_refusal_in_a_second_is_told_and_the_others_are_counted() {
        let refusals = Refusals::default();
        let start = SystemClock::new().now();
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(refusals.tell_at(at(0)), Some(0));
        assert_eq!(refusals.tell_at(at(10)), None);
        assert_eq!(refusals.tell_at(at(999)), None);
        assert_eq!(refusals.tell_at(at(1000)), Some(2));
        assert_eq!(refusals.tell_at(at(3000)), Some(0));
    }

    #[test]
    fn other_failures_of_handshakes_are_no_refusals() {
        let of = |error: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, error);
        assert!(is_refusal(&of(rustls::Error::NoCertificatesPresented)));
        let unknown = rustls::CertificateError::UnknownIssuer;
        assert!(is_refusal(&of(rustls::Error::InvalidCertificate(unknown))));
        assert!(!is_refusal(&of(rustls::Error::DecryptError)));
        assert!(!is_refusal(&io::Error::other("gone")));
    }
}
