//! A Redis cluster of one's own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::wire::PATIENCE;

/// Three `redis-server`s on free ports of loopback that are one cluster, with a third of the slots each. They end with their handle.
///
/// `cargo xtask test` installs the program.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<(SocketAddr, Child)>,
    folder: PathBuf,
}

impl RedisCluster {
    /// Starts them, and waits until all of them say that the cluster is whole.
    ///
    /// # Panics
    ///
    /// If the programs are not installed, or the cluster is not whole in time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "real programs are waited for")]
    pub fn start() -> Self {
        let addresses = [free_port(), free_port(), free_port()];
        let folder =
            std::env::temp_dir().join(format!("portcullis-redis-cluster-{}", addresses[0].port()));
        let mut own = Self {
            nodes: Vec::new(),
            folder,
        };
        for address in addresses {
            let folder = own.folder.join(address.port().to_string());
            std::fs::create_dir_all(&folder).expect("a folder");
            let child = Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
                .args(["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"])
                // By default it is ten thousand above the other, where there may be none.
                .args(["--cluster-port", &free_port().port().to_string()])
                .args(["--save", "", "--appendonly", "no"])
                .arg("--dir")
                .arg(&folder)
                .stdout(Stdio::null())
                .spawn()
                .expect("`cargo xtask test` installs redis-server");
            own.nodes.push((address, child));
        }
        let started = Instant::now();
        let wait = |what: &str| {
            assert!(started.elapsed() < PATIENCE, "{what} in time");
            std::thread::sleep(Duration::from_millis(50));
        };
        for address in addresses {
            while cli(address, &["PING"]) != "PONG" {
                wait("no node answers");
            }
        }
        let nodes = addresses.map(|address| address.to_string());
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(nodes);
        create.args(["--cluster-replicas", "0", "--cluster-yes"]);
        let created = create.stdout(Stdio::null()).status();
        assert!(
            created.is_ok_and(|status| status.success()),
            "redis-cli makes a cluster of the nodes"
        );
        for address in addresses {
            while !cli(address, &["CLUSTER", "INFO"]).contains("cluster_state:ok") {
                wait("the cluster is not whole");
            }
        }
        own
    }

    /// The addresses of its nodes: `redis://127.0.0.1:…`.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let nodes = self.nodes.iter();
        nodes
            .map(|(address, _)| format!("redis://{address}"))
            .collect()
    }

    /// How many keys each node holds.
    #[must_use]
    pub fn keys(&self) -> Vec<u64> {
        let nodes = self.nodes.iter();
        nodes
            .map(|(address, _)| cli(*address, &["DBSIZE"]).parse().unwrap_or(0))
            .collect()
    }
}

impl Drop for RedisCluster {
    fn drop(&mut self) {
        for (_, child) in &mut self.nodes {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound listener")
}

/// What `redis-cli` prints of a command.
fn cli(address: SocketAddr, command: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &address.port().to_string()])
        .args(command)
        .stderr(Stdio::null())
        .output()
        .expect("`cargo xtask test` installs redis-cli");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
