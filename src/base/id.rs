//! Identifiers: small copyable newtypes, so that one kind of number is never passed for another.

use std::fmt;

use crate::base::limits;

/// Names one session within the process, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionId(pub(crate) u64);

/// Names one subscription within its session. It grows with every subscribe, so that what was
/// posted for an earlier subscription to the same channel is recognised and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SubId(pub(crate) u32);

/// The client id that applications see: 128 random bits, written as a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClientId(pub(crate) u128);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_u128(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One of the [`limits::PARTITIONS`] shares of the channel space: a hash of the channel, equal on
/// every node. Engines order events within a partition; a lane owns the partitions that are equal
/// to it modulo the number of lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Partition(u8);

impl Partition {
    /// FNV-1a over the channel's name: stable across builds and machines, which the standard
    /// library's hashers are not.
    pub(crate) fn of(channel: &str) -> Self {
        let hash = channel.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        // The low bits of FNV are the weakest: fold the high half in before the remainder.
        let folded = (hash ^ (hash >> 32)) % limits::PARTITIONS as u64;
        Self(u8::try_from(folded).expect("a remainder of PARTITIONS fits u8"))
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..limits::PARTITIONS).map(|index| Self(u8::try_from(index).expect("fits u8")))
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

const _: () = assert!(limits::PARTITIONS <= 256, "Partition is a u8");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_spread_evenly() {
        let mut counts = vec![0_usize; limits::PARTITIONS];
        for number in 0..64_000 {
            counts[Partition::of(&format!("room:{number}")).index()] += 1;
        }
        assert!(counts.iter().all(|&count| (700..1300).contains(&count)), "{counts:?}");
    }

    #[test]
    fn a_client_id_is_written_as_a_uuid() {
        assert_eq!(ClientId(1).to_string(), "00000000-0000-0000-0000-000000000001");
    }
}
