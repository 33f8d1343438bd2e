//! Chance that can be repeated.

/// A sequence of numbers that look random: `SplitMix64`.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Whether something of this probability happens now.
    #[allow(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((mixed >> 11) as f64) / ((1_u64 << 53) as f64) < probability
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn the_same_seed_gives_the_same_choices_as_often_as_is_likely() {
        let choices = |seed| {
            let mut chance = Chance::new(seed);
            (0..1000).map(|_| chance.happens(0.3)).collect::<Vec<_>>()
        };
        assert_eq!(choices(7), choices(7));
        assert_ne!(choices(7), choices(8));
        let count = choices(7).into_iter().filter(|happens| *happens).count();
        assert!((250..350).contains(&count), "{count}");
        let mut chance = Chance::new(1);
        assert!((0..1000).all(|_| chance.happens(1.0) && !chance.happens(0.0)));
    }
}
