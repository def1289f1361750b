//! Caches that several machines share: a store in Redis or Valkey, and one in memory before it.

mod known;
mod redis;
mod tiers;
mod wire;

pub use self::redis::RedisStore;
pub use self::tiers::TwoTiers;
