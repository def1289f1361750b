//! A log that several machines write to and follow: a stream of the store.

use std::fmt;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::timeout;

use crate::connection::Connection;
use crate::error::RedisError;
use crate::store::Redis;

/// What somebody wrote into a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Logged {
    /// When, as the store counts: later entries have greater numbers, also after the store has lost its data.
    pub at: u64,
    /// What was written.
    pub text: Vec<u8>,
}

/// Reads a log from its beginning, and waits for what is written next. If the connection breaks, it goes on where it was.
pub struct Follower {
    redis: Redis,
    key: String,
    /// The id of the last entry that was read.
    last: String,
    connection: Option<Connection>,
}

/// How long the store holds a question back for which there is nothing new.
const WAIT: Duration = Duration::from_secs(2);

/// How many entries are asked for at a time.
const BATCH: usize = 1000;

impl Redis {
    /// Writes into a log that keeps about `keep` entries, and says when.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub async fn append(
        &self,
        log: &str,
        text: impl AsRef<[u8]>,
        keep: usize,
    ) -> Result<u64, RedisError> {
        let mut command = redis::cmd("XADD");
        command.arg(self.key(log)).arg("MAXLEN").arg("~").arg(keep);
        command.arg("*").arg("t").arg(text.as_ref());
        let id: String = self.run_once(&command).await?;
        Ok(number(&id).unwrap_or_default())
    }

    /// Follows a log over a connection of its own.
    #[must_use]
    pub fn follow(&self, log: &str) -> Follower {
        Follower {
            redis: self.clone(),
            key: self.key(log),
            last: "0-0".to_owned(),
            connection: None,
        }
    }
}

impl Follower {
    /// What was written since the last time; nothing, if that takes some seconds.
    ///
    /// # Errors
    ///
    /// The store is away. The next call connects again, and goes on where this one would have.
    pub async fn next(&mut self) -> Result<Vec<Logged>, RedisError> {
        self.read(Some(WAIT)).await
    }

    /// What was written since the last time, without waiting for more. Empty means that all has been read.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next).
    pub async fn catch_up(&mut self) -> Result<Vec<Logged>, RedisError> {
        self.read(None).await
    }

    /// The oldest entry that the log still has.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next).
    pub async fn first(&mut self) -> Result<Option<u64>, RedisError> {
        let mut command = redis::cmd("XRANGE");
        command.arg(&self.key).arg("-").arg("+").arg("COUNT").arg(1);
        let answer = self.ask(&command, Duration::ZERO).await?;
        Ok(entries(&answer).next().map(|(_, entry)| entry.at))
    }

    async fn read(&mut self, wait: Option<Duration>) -> Result<Vec<Logged>, RedisError> {
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(BATCH);
        if let Some(wait) = wait {
            command.arg("BLOCK").arg(wait.as_millis() as u64);
        }
        command.arg("STREAMS").arg(&self.key).arg(&self.last);
        let answer = self.ask(&command, wait.unwrap_or_default()).await?;
        // `[[key, [[id, [field, value]], …]]]`, or nothing.
        let stream = list(&answer).first().and_then(|stream| list(stream).get(1));
        let mut read = Vec::new();
        for (id, entry) in stream.into_iter().flat_map(entries) {
            self.last = id;
            read.push(entry);
        }
        Ok(read)
    }

    async fn ask(&mut self, command: &Cmd, wait: Duration) -> Result<Value, RedisError> {
        let deadline = self.redis.deadline() + wait;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                // Long enough for a question that is held back.
                let patience = self.redis.deadline() + WAIT;
                let connection = self.redis.client().connection(patience);
                none.insert(connection.map_err(RedisError::failed)?)
            }
        };
        let answer = match timeout(deadline, command.query_async(connection)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(RedisError::failed(error)),
            Err(_) => Err(RedisError::late(deadline)),
        };
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower")
            .field("key", &self.key)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

/// The entries of a stream, with their ids. What is none of ours has no text.
fn entries(stream: &Value) -> impl Iterator<Item = (String, Logged)> + '_ {
    list(stream).iter().filter_map(|entry| {
        let [id, fields] = list(entry) else {
            return None;
        };
        let id = String::from_utf8(bytes(id)?.to_vec()).ok()?;
        let at = number(&id)?;
        let text = list(fields).get(1).and_then(bytes).unwrap_or_default();
        let text = text.to_vec();
        Some((id, Logged { at, text }))
    })
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        _ => &[],
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

/// An id, `milliseconds-number`, as one number. There are no million entries in a millisecond.
fn number(id: &str) -> Option<u64> {
    let (millis, count) = id.split_once('-')?;
    let (millis, count) = (millis.parse::<u64>().ok()?, count.parse::<u64>().ok()?);
    Some((millis << 20) | count.min((1 << 20) - 1))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn later_ids_are_greater_numbers() {
        let ids = ["0-1", "5-0", "5-7", "6-0", "1700000000000-0"];
        let numbers: Vec<_> = ids.map(number).into_iter().flatten().collect();
        assert_eq!(numbers.len(), ids.len());
        assert!(numbers.is_sorted());
        assert_eq!(number("x"), None);
    }
}
