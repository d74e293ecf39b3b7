//! Epochs: names for the lives of streams, never used twice.

use std::sync::Arc;

use crate::base::{Partition, limits};

/// Makes the epochs of one partition out of the run of the engine and a counter that no other
/// partition's meets. Randomness, if any, is in `boot`.
#[derive(Debug)]
pub(super) struct Epochs {
    boot: String,
    next: u64,
}

impl Epochs {
    pub(super) fn new(boot: u64, partition: Partition) -> Self {
        Self { boot: base36(boot), next: partition.index() as u64 }
    }

    pub(super) fn next(&mut self) -> Arc<str> {
        let count = self.next;
        self.next += limits::PARTITIONS as u64;
        Arc::from(format!("{}-{}", self.boot, base36(count)))
    }
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(number % 36).expect("a remainder of 36 fits u32");
        digits.push(char::from_digit(digit, 36).expect("a remainder of 36 is a digit"));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_are_written_as_any_reader_of_base_36_reads_them() {
        for number in [0, 1, 35, 36, 1295, 1296, u64::MAX] {
            assert_eq!(u64::from_str_radix(&base36(number), 36), Ok(number));
        }
    }

    #[test]
    fn no_epoch_comes_twice_in_any_partition_of_any_run() {
        let mut seen = HashSet::new();
        for boot in [0, 1, 36, 37] {
            for partition in Partition::all() {
                let mut epochs = Epochs::new(boot, partition);
                assert!((0..50).all(|_| seen.insert(epochs.next())));
            }
        }
    }
}
