//! The open connections of one way to connect, by origin.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, Weak};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use tokio::task::JoinHandle;

use crate::error::{ClientError, ClientErrorKind};
use crate::origin::{Origin, Settings};
use crate::upstreams::without_user;

/// Finds the [`Origin`] of a request.
pub(crate) struct Pool {
    settings: Arc<Settings>,
    origins: Arc<Origins>,
}

/// The origins that are known; the ones that nobody uses are forgotten.
#[derive(Default)]
pub(crate) struct Origins {
    known: RwLock<Known>,
}

/// By host and port, in lower case.
#[derive(Default)]
struct Known {
    clear: HashMap<Box<str>, Arc<Origin>>,
    encrypted: HashMap<Box<str>, Arc<Origin>>,
    /// How many there may be before the unused ones are looked for.
    most: usize,
    /// Closes what is idle for too long. It runs while there are origins.
    cleaner: Option<JoinHandle<()>>,
}

/// Fewer origins than this are not worth a look.
const LEAST_KEPT: usize = 64;
/// Between two cleanings.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

impl Pool {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            origins: Arc::default(),
        }
    }

    /// The origin of `uri`.
    ///
    /// # Errors
    ///
    /// If it is not an `http` or `https` address.
    pub(crate) fn origin(&self, uri: &Uri) -> Result<Arc<Origin>, ClientError> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(not_an_address(uri));
        };
        let encrypted = *scheme == Scheme::HTTPS;
        if !encrypted && *scheme != Scheme::HTTP {
            return Err(not_an_address(uri));
        }
        // As it stands, as a rule.
        let odd = |byte: u8| byte == b'@' || byte.is_ascii_uppercase();
        let name = if authority.as_str().bytes().any(odd) {
            Cow::Owned(without_user(authority).to_ascii_lowercase())
        } else {
            Cow::Borrowed(authority.as_str())
        };
        let known = self.origins.find(encrypted, &name);
        known.map_or_else(|| self.add(scheme, &name), Ok)
    }

    #[cold]
    fn add(&self, scheme: &Scheme, name: &str) -> Result<Arc<Origin>, ClientError> {
        let authority: Authority = name
            .parse()
            .map_err(|error| ClientError::new(ClientErrorKind::Address, error))?;
        let settings = Arc::clone(&self.settings);
        let origins = Arc::downgrade(&self.origins);
        let origin = Origin::new(settings, origins, scheme.clone(), authority)?;
        let mut known = self.origins.write();
        known.make_room();
        let list = known.list_mut(*scheme == Scheme::HTTPS);
        let added = list.entry(name.into()).or_insert_with(|| Arc::new(origin));
        Ok(Arc::clone(added))
    }
}

impl Origins {
    fn find(&self, encrypted: bool, name: &str) -> Option<Arc<Origin>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.list(encrypted).get(name).cloned()
    }

    /// Sees to it that unused connections are closed. It must run in a runtime, and is for whoever makes a connection.
    pub(crate) fn keep_clean(self: &Arc<Self>, idle_timeout: Duration) {
        let mut known = self.write();
        // One whose runtime is gone has ended, too.
        if known.cleaner.as_ref().is_none_or(JoinHandle::is_finished) {
            let every = idle_timeout.max(LEAST_PAUSE);
            known.cleaner = Some(tokio::spawn(clean(Arc::downgrade(self), every)));
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    const fn list(&self, encrypted: bool) -> &HashMap<Box<str>, Arc<Origin>> {
        if encrypted {
            &self.encrypted
        } else {
            &self.clear
        }
    }

    const fn list_mut(&mut self, encrypted: bool) -> &mut HashMap<Box<str>, Arc<Origin>> {
        if encrypted {
            &mut self.encrypted
        } else {
            &mut self.clear
        }
    }

    fn count(&self) -> usize {
        self.clear.len() + self.encrypted.len()
    }

    /// Sees to it that hosts which clients make up do not pile up between two cleanings.
    fn make_room(&mut self) {
        if self.count() >= self.most.max(LEAST_KEPT) {
            self.forget_unused();
            self.most = 2 * self.count();
        }
    }

    /// Closes what is idle for too long, and forgets the origins that have no connection and no request.
    fn forget_unused(&mut self) {
        for list in [&mut self.clear, &mut self.encrypted] {
            list.retain(|_, origin| origin.close_idle() || Arc::strong_count(origin) > 1);
        }
    }
}

/// Cleans now and then, until there is nothing left to clean.
async fn clean(origins: Weak<Origins>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(origins) = origins.upgrade() else {
            return;
        };
        let mut known = origins.write();
        known.forget_unused();
        if known.count() == 0 {
            known.cleaner = None;
            return;
        }
    }
}

fn not_an_address(uri: &Uri) -> ClientError {
    let message = format!("`{uri}` is not an http or https address");
    ClientError::new(ClientErrorKind::Address, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::HttpProtocol;
    use crate::connector::Connector;
    use crate::tls::TlsSettings;

    fn pool() -> Pool {
        let timeout = Duration::from_secs(90);
        let tls = Arc::new(TlsSettings { roots: Vec::new() });
        Pool::new(Settings {
            connector: Connector::new(timeout, tls, true, HttpProtocol::Auto, None),
            only_http2: false,
            idle_timeout: timeout,
            max_idle: 8,
        })
    }

    #[test]
    fn hosts_that_clients_make_up_do_not_pile_up() {
        let pool = pool();
        let used = pool.origin(&Uri::from_static("http://used.example")).ok();
        for number in 0..10_000 {
            let uri = format!("http://host{number}.example/").parse();
            pool.origin(&uri.expect("a URI"))
                .map(drop)
                .expect("an address");
        }
        assert!(pool.origins.write().count() <= LEAST_KEPT);
        let again = pool.origin(&Uri::from_static("http://USED.example/")).ok();
        assert!(
            used.zip(again)
                .is_some_and(|(used, again)| Arc::ptr_eq(&used, &again))
        );
    }

    #[test]
    fn only_addresses_of_http_have_an_origin() {
        let pool = pool();
        for wrong in ["/pets", "pets.example:80", "ftp://pets.example/"] {
            let origin = pool.origin(&Uri::from_static(wrong));
            let kind = origin.map(drop).expect_err("no origin").kind();
            assert_eq!(kind, ClientErrorKind::Address, "{wrong}");
        }
    }
}
