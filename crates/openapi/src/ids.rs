//! Ids that stay the same from one import of a document to the next.

use std::collections::HashSet;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Gives ids of the service's look, made from what they stand for: what is keyed by an id (a
/// cache, a bucket) then survives a new deployment.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    used: HashSet<String>,
}

impl Ids {
    /// Never gives one of these ids.
    pub(crate) fn with(taken: impl Iterator<Item = String>) -> Self {
        Self {
            used: taken.collect(),
        }
    }

    /// An id of `length` characters for `name`.
    pub(crate) fn id(&mut self, kind: &str, name: &str, length: usize) -> String {
        let mut round = 0u64;
        loop {
            let hash = fnv(fnv(fnv(OFFSET ^ round, kind), "\0"), name);
            let id = base36(hash, length);
            if self.used.insert(id.clone()) {
                return id;
            }
            round += 1;
        }
    }
}

/// Six hexadecimal digits for a text.
pub(crate) fn fingerprint(text: &str) -> String {
    format!("{:06x}", mix(fnv(OFFSET, text)) & 0xff_ffff)
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, which is stable over releases and platforms; nothing here is secret.
fn fnv(hash: u64, text: &str) -> u64 {
    text.bytes().fold(hash, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Spreads the last bytes over the whole word, which FNV alone does not.
fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

fn base36(hash: u64, length: usize) -> String {
    let mut rest = mix(hash);
    let mut id = String::with_capacity(length);
    for _ in 0..length {
        let digit = usize::try_from(rest % 36).unwrap_or_default();
        id.push(char::from(DIGITS[digit]));
        rest /= 36;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_distinct() {
        let all = |mut ids: Ids| -> Vec<String> {
            (0..100_000)
                .map(|n| ids.id("resource", &format!("/r{n}"), 6))
                .collect()
        };
        let first = all(Ids::default());
        assert_eq!(first, all(Ids::default()));
        assert_eq!(first.iter().collect::<HashSet<_>>().len(), first.len());
    }
}
