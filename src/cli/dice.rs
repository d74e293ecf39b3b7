//! Repeatable chance: the same seed, the same city and the same load.

/// SplitMix64 (Steele, Lea, Flood 2014), the generator that Java calls `SplittableRandom`.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// 0…`bound` − 1, as even as makes no difference here.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let scaled = (self.roll() >> 32) * u64::from(bound);
        u32::try_from(scaled >> 32).expect("32 bits times 32 bits, of which the upper 32 are left")
    }

    /// One of `all`, which has some.
    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let index = usize::try_from(self.below(count)).expect("an index fits");
        &all[index]
    }

    /// `low` or more, less than `high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.below(1 << 20)) / f64::from(1 << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_reference() {
        let mut dice = Dice::new(1_234_567);
        let rolled = [dice.roll(), dice.roll(), dice.roll()];
        let reference =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(rolled, reference);
    }

    #[test]
    fn rolls_stay_within_their_bounds_and_reach_them() {
        let mut dice = Dice::new(5);
        let mut seen = [false; 6];
        for _ in 0..1000 {
            seen[dice.below(6) as usize] = true;
            let number = dice.between(-1.0, 2.0);
            assert!((-1.0..2.0).contains(&number), "{number}");
        }
        assert_eq!(seen, [true; 6]);
    }
}
