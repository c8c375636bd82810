//! Are the node's ports free, and which did it get?
//!
//! Shards listen with SO_REUSEPORT, where a second broker on the same port would start without a word: so the
//! port is bound once without it first.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Addresses;
use crate::settings::Settings;

const WAIT_FOR_PREDECESSOR: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(20);

pub struct Listeners {
    pub registry: TcpListener,
    pub catalog: TcpListener,
    pub admin: TcpListener,
    pub addresses: Addresses,
}

impl Listeners {
    pub fn bind(settings: &Settings) -> Result<Listeners> {
        let kafka = bind("kafka_addr", settings.kafka_addr)?;
        let registry = bind("registry_addr", settings.registry_addr)?;
        let catalog = bind("catalog_addr", settings.catalog_addr)?;
        let admin = bind("admin_addr", settings.admin_addr)?;
        let addresses = Addresses {
            kafka: kafka.local_addr()?,
            registry: registry.local_addr()?,
            catalog: catalog.local_addr()?,
            admin: admin.local_addr()?,
        };
        Ok(Listeners { registry, catalog, admin, addresses })
    }
}

/// A node that was killed a moment ago may still hold its ports: the kernel takes io_uring down behind its back.
fn bind(name: &str, addr: SocketAddr) -> Result<TcpListener> {
    let give_up = Instant::now() + WAIT_FOR_PREDECESSOR;
    loop {
        match TcpListener::bind(addr) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < give_up => sleep(PAUSE),
            bound => {
                return bound.with_context(|| format!("{name} = {addr}: the address cannot be listened on"));
            }
        }
    }
}
