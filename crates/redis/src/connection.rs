//! One connection to one server, or to all nodes of a cluster.

use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
#[cfg(feature = "cluster")]
use redis::cluster::{ClusterClient, ClusterConfig};
#[cfg(feature = "cluster")]
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisFuture, Value};

use crate::error::RedisError;

/// Who can be connected to.
pub(crate) enum Client {
    Server(redis::Client),
    #[cfg(feature = "cluster")]
    Cluster(Box<ClusterClient>),
}

/// A connection that is opened when it is needed, and again when it breaks. Clones are the same one.
#[derive(Clone)]
pub(crate) enum Connection {
    Server(ConnectionManager),
    #[cfg(feature = "cluster")]
    Cluster(ClusterConnection),
}

impl Client {
    pub(crate) fn of(
        addresses: &[String],
        cluster: bool,
        deadline: Duration,
    ) -> Result<Self, RedisError> {
        let infos = addresses.iter().map(|address| info(address));
        let infos = infos.collect::<Result<Vec<_>, _>>()?;
        #[cfg(feature = "cluster")]
        if cluster && !infos.is_empty() {
            let client = ClusterClient::builder(infos)
                .connection_timeout(deadline)
                .response_timeout(deadline)
                // A node that says that a slot has moved is believed; the deadline is over all of it.
                .retries(2)
                .build();
            let client = client.map_err(RedisError::failed)?;
            return Ok(Self::Cluster(Box::new(client)));
        }
        let _ = (cluster, deadline);
        match infos.into_iter().next() {
            Some(info) => {
                let client = redis::Client::open(info).map_err(RedisError::failed)?;
                Ok(Self::Server(client))
            }
            None => Err(RedisError::address("is missing")),
        }
    }

    /// Nothing is connected yet.
    pub(crate) fn connection(&self, deadline: Duration) -> Result<Connection, redis::RedisError> {
        match self {
            Self::Server(client) => {
                // The deadline is over all of it. One attempt each time: the next command makes the next.
                let config = ConnectionManagerConfig::new()
                    .set_number_of_retries(0)
                    .set_connection_timeout(Some(deadline))
                    .set_response_timeout(Some(deadline));
                let manager = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
                Ok(Connection::Server(manager))
            }
            #[cfg(feature = "cluster")]
            Self::Cluster(client) => {
                let config = ClusterConfig::new()
                    .set_connection_timeout(deadline)
                    .set_response_timeout(deadline);
                let connection = client.get_pending_async_connection_with_config(config);
                Ok(Connection::Cluster(connection))
            }
        }
    }
}

fn info(address: &str) -> Result<ConnectionInfo, RedisError> {
    if address.starts_with("rediss:") || address.starts_with("valkeys:") {
        return Err(RedisError::address("asks for TLS, which is not spoken"));
    }
    // The library's words repeat the address, which may have a password in it.
    address.into_connection_info().map_err(|_| {
        RedisError::address("is none; write `redis://host:6379/0` or `redis://user:password@host`")
    })
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(command),
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
