//! Questions to somebody else, each asked once for all who want to know.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{self, SHA256};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// What a question is known by: a digest, so that nothing of a token stays in memory, and looking allocates nothing.
pub(crate) type Key = [u8; 32];

/// Questions under way that go on though whoever asked has gone away. Beyond, a question ends with its request.
const MAX_FLIGHTS: usize = 1024;

/// The questions under way. Clones share them.
#[derive(Clone)]
pub(crate) struct Flights<T> {
    running: Arc<Mutex<Running<T>>>,
}

type Running<T> = HashMap<Key, watch::Receiver<Option<T>>>;

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// Asks, or waits with whoever has asked already. `None` if the question broke off.
    pub(crate) async fn ask_once<F>(&self, key: Key, ask: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let started = {
            let mut running = self.lock();
            if let Some(own) = running.get(&key)
                && own.has_changed().is_ok()
            {
                Ok(own.clone())
            } else if running.len() < MAX_FLIGHTS
                && let Ok(runtime) = Handle::try_current()
            {
                let (end, own) = watch::channel(None);
                running.insert(key, own.clone());
                let (flights, question) = (self.clone(), ask());
                runtime.spawn(async move {
                    let _landing = Landing { flights, key };
                    end.send_replace(Some(question.await));
                });
                Ok(own)
            } else {
                Err(ask())
            }
        };
        match started {
            Err(question) => Some(question.await),
            Ok(mut own) => own.wait_for(Option::is_some).await.ok()?.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Running<T>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self {
            running: Arc::default(),
        }
    }
}

/// Takes a question off the list when it has been answered, or its task is gone.
struct Landing<T: Clone + Send + Sync + 'static> {
    flights: Flights<T>,
    key: Key,
}

impl<T: Clone + Send + Sync + 'static> Drop for Landing<T> {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}

/// The digest of parts, of which none can be taken for another.
pub(crate) fn key<'a>(parts: impl IntoIterator<Item = &'a str>) -> Key {
    let mut digest = digest::Context::new(&SHA256);
    for part in parts {
        digest.update(&(part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    let mut key = Key::default();
    key.copy_from_slice(digest.finish().as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn identities_of_several_parts_are_not_taken_for_one_another() {
        let of = |parts: &[&str]| key(parts.iter().copied());
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["ab", ""]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
        assert_ne!(of(&["a"]), of(&["a", ""]));
    }
}
