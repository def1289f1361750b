//! The connection, and what is asked over it.

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{Cmd, ErrorKind, FromRedisValue, RedisWrite, ServerErrorKind};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::connection::{Client, Connection};
use crate::error::{RedisError, is_connection};

/// A store, by its address. Clones share one connection.
///
/// See the [crate docs](crate) for an example.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    prefix: Box<str>,
    deadline: Duration,
    max_waiting: usize,
    permits: Semaphore,
    /// Made by the first command, which is sure to run where the connection can.
    connection: OnceCell<Connection>,
    away: AtomicBool,
}

/// A script in Lua, which the store keeps by its hash once it has run.
///
/// ```
/// let add = portcullis_redis::Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
/// # let _ = add;
/// ```
#[derive(Clone)]
pub struct Script {
    inner: redis::Script,
}

impl Script {
    /// The script with this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            inner: redis::Script::new(text),
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script")
            .field(&self.inner.get_hash())
            .finish()
    }
}

/// Settings of a [`Redis`].
#[derive(Clone)]
#[must_use]
pub struct RedisBuilder {
    addresses: Vec<String>,
    cluster: bool,
    prefix: String,
    deadline: Duration,
    max_waiting: usize,
}

impl RedisBuilder {
    /// Puts this before every key, so that several users of one store do not meet. Default: `portcullis:`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a command may take, connecting included. Default: 500 ms.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How many commands may wait for their answers at a time; more are errors at once. Default: 1,024.
    pub const fn max_waiting(mut self, commands: usize) -> Self {
        self.max_waiting = commands;
        self
    }

    /// Takes the settings. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// If an address is none, or asks for TLS, or if there is none at all.
    pub fn build(self) -> Result<Redis, RedisError> {
        let client = Client::of(&self.addresses, self.cluster, self.deadline)?;
        Ok(Redis {
            shared: Arc::new(Shared {
                client,
                prefix: self.prefix.into(),
                deadline: self.deadline,
                max_waiting: self.max_waiting,
                permits: Semaphore::new(self.max_waiting.min(Semaphore::MAX_PERMITS)),
                connection: OnceCell::new(),
                away: AtomicBool::new(false),
            }),
        })
    }
}

impl fmt::Debug for RedisBuilder {
    /// Leaves out the address, which may have a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder")
            .field("cluster", &self.cluster)
            .field("prefix", &self.prefix)
            .field("deadline", &self.deadline)
            .field("max_waiting", &self.max_waiting)
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// Begins with an address: `redis://127.0.0.1:6379/0`, `redis://user:password@host`, `redis+unix:///run/redis.sock`.
    pub fn builder(address: impl Into<String>) -> RedisBuilder {
        Self::at(vec![address.into()], false)
    }

    /// Begins with the addresses of some nodes of a cluster, `redis://10.0.0.1:6379`; the others are found through them. All keys of one [script](Self::script) must stand
    /// in one slot: give them one hash tag (`{cart}:…`).
    #[cfg(feature = "cluster")]
    pub fn cluster(addresses: impl IntoIterator<Item = impl Into<String>>) -> RedisBuilder {
        Self::at(addresses.into_iter().map(Into::into).collect(), true)
    }

    fn at(addresses: Vec<String>, cluster: bool) -> RedisBuilder {
        RedisBuilder {
            addresses,
            cluster,
            prefix: "portcullis:".to_owned(),
            deadline: Duration::from_millis(500),
            max_waiting: 1024,
        }
    }

    /// What is stored under `key`.
    ///
    /// # Errors
    ///
    /// If the store does not answer in time, or says that it cannot.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, RedisError> {
        self.run(redis::cmd("GET").arg(self.key(key))).await
    }

    /// Stores `value` under `key`.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub async fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), RedisError> {
        let mut command = redis::cmd("SET");
        command.arg(self.key(key)).arg(value.as_ref());
        self.run(&command).await
    }

    /// Stores `value` under `key` for as long as `life`, a millisecond at least.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub async fn set_for(
        &self,
        key: &str,
        value: impl AsRef<[u8]>,
        life: Duration,
    ) -> Result<(), RedisError> {
        let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut command = redis::cmd("SET");
        command.arg(self.key(key)).arg(value.as_ref());
        self.run(command.arg("PX").arg(life)).await
    }

    /// Removes what is stored under `key`, and says whether there was anything.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    pub async fn remove(&self, key: &str) -> Result<bool, RedisError> {
        let removed: u64 = self.run(redis::cmd("DEL").arg(self.key(key))).await?;
        Ok(removed > 0)
    }

    /// Runs a script over `keys`, and returns the numbers that it returns. It runs once at most: it is not sent again if the connection breaks.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), or that the script returns something else.
    pub async fn script<K, A>(
        &self,
        script: &Script,
        keys: &[K],
        arguments: &[A],
    ) -> Result<Vec<i64>, RedisError>
    where
        K: AsRef<str> + Sync,
        A: AsRef<str> + Sync,
    {
        let deadline = self.shared.deadline;
        self.script_within(script, keys, arguments, deadline).await
    }

    /// The same, with another deadline than that of [other commands](RedisBuilder::deadline). If it is a shorter one, that an answer comes later does not say that the store is away.
    ///
    /// # Errors
    ///
    /// Those of [`script`](Self::script).
    pub async fn script_within<K, A>(
        &self,
        script: &Script,
        keys: &[K],
        arguments: &[A],
        deadline: Duration,
    ) -> Result<Vec<i64>, RedisError>
    where
        K: AsRef<str> + Sync,
        A: AsRef<str> + Sync,
    {
        let shared = &*self.shared;
        let Ok(_permit) = shared.permits.try_acquire() else {
            return Err(RedisError::busy(shared.max_waiting));
        };
        let command = self.call(script, keys, arguments);
        let run = async {
            let mut connection = shared.connection().await?;
            match command.query_async(&mut connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    // Once in a server's life. Boxed, so that it does not make every wait as large.
                    Box::pin(async {
                        script.inner.load_async(&mut connection).await?;
                        command.query_async(&mut connection).await
                    })
                    .await
                }
                outcome => outcome,
            }
        };
        match timeout(deadline, run).await {
            Err(_) if deadline < shared.deadline => Err(RedisError::late(deadline)),
            outcome => shared.settle(outcome),
        }
    }

    /// The call of a script that the store has, written into one buffer.
    fn call<K: AsRef<str>, A: AsRef<str>>(
        &self,
        script: &Script,
        keys: &[K],
        arguments: &[A],
    ) -> Cmd {
        let prefix = self.shared.prefix.as_bytes();
        let keys_size = keys.iter().map(|key| prefix.len() + key.as_ref().len());
        let arguments_size = arguments.iter().map(|argument| argument.as_ref().len());
        let size = 64 + keys_size.sum::<usize>() + arguments_size.sum::<usize>();
        let mut command = Cmd::with_capacity(3 + keys.len() + arguments.len(), size);
        command.arg("EVALSHA").arg(script.inner.get_hash());
        command.arg(keys.len());
        for key in keys {
            let mut whole = command.writer_for_next_arg();
            // A buffer takes whatever is written.
            let _ = whole.write_all(prefix);
            let _ = whole.write_all(key.as_ref().as_bytes());
        }
        for argument in arguments {
            command.arg(argument.as_ref());
        }
        command
    }

    /// How long a command may take.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.shared.deadline
    }

    pub(crate) fn client(&self) -> &Client {
        &self.shared.client
    }

    pub(crate) fn key(&self, key: &str) -> String {
        [&*self.shared.prefix, key].concat()
    }

    /// Runs what must not be run twice.
    pub(crate) async fn run_once<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let shared = &*self.shared;
        let Ok(_permit) = shared.permits.try_acquire() else {
            return Err(RedisError::busy(shared.max_waiting));
        };
        let run = async {
            let mut connection = shared.connection().await?;
            command.query_async(&mut connection).await
        };
        shared.settle(timeout(shared.deadline, run).await)
    }

    async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let shared = &*self.shared;
        let Ok(_permit) = shared.permits.try_acquire() else {
            return Err(RedisError::busy(shared.max_waiting));
        };
        shared.settle(timeout(shared.deadline, shared.send(command)).await)
    }
}

impl Shared {
    /// The outcome of what had a deadline.
    fn settle<T>(
        &self,
        answered: Result<Result<T, redis::RedisError>, Elapsed>,
    ) -> Result<T, RedisError> {
        let outcome = match answered {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(RedisError::failed(error)),
            Err(_) => Err(RedisError::late(self.deadline)),
        };
        self.tell(outcome.as_ref().err());
        outcome
    }

    async fn connection(&self) -> Result<Connection, redis::RedisError> {
        let connection = self
            .connection
            .get_or_try_init(|| async { self.client.connection(self.deadline) })
            .await?;
        Ok(connection.clone())
    }

    async fn send<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, redis::RedisError> {
        let mut connection = self.connection().await?;
        match command.query_async(&mut connection).await {
            // A connection that lay idle is found to be broken by the next command. All that is asked may be asked twice.
            Err(error) if is_connection(&error) => command.query_async(&mut connection).await,
            outcome => outcome,
        }
    }

    /// Logs that the store does not answer, or does again, the first time.
    fn tell(&self, error: Option<&RedisError>) {
        match error {
            Some(error) if error.is_away() => {
                if !self.away.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the shared store does not answer");
                }
            }
            Some(_) => {}
            None => {
                if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::Relaxed) {
                    tracing::info!("the shared store answers again");
                }
            }
        }
    }
}

impl fmt::Debug for Redis {
    /// Leaves out the address, which may have a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("prefix", &self.shared.prefix)
            .field("deadline", &self.shared.deadline)
            .field("max_waiting", &self.shared.max_waiting)
            .finish_non_exhaustive()
    }
}
