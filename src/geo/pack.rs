//! [`Pack`]: eight numbers in a row, compared, and those that match moved to the front.

/// What compilers do not make of loops.
pub(super) trait Pack: Copy {
    /// A bit for each lane of so much or less; not for what is no number.
    fn at_most(&self, lanes: [f32; LANES], most: f32) -> u8;

    /// Moves lanes whose bit is set to the front, in order; what follows them is anything.
    fn to_front(&self, lanes: [u32; LANES], bits: u8) -> [u32; LANES];
}

/// On any processor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain;

impl Pack for Plain {
    #[inline(always)]
    fn at_most(&self, lanes: [f32; LANES], most: f32) -> u8 {
        let mut bits = 0;
        for (lane, number) in lanes.into_iter().enumerate() {
            bits |= u8::from(number <= most) << lane;
        }
        bits
    }

    #[inline(always)]
    fn to_front(&self, lanes: [u32; LANES], bits: u8) -> [u32; LANES] {
        ORDERS[usize::from(bits)].map(|lane| lanes[lane as usize % LANES])
    }
}

#[cfg(target_arch = "x86_64")]
impl Pack for pulp::x86::V3 {
    #[inline(always)]
    fn at_most(&self, lanes: [f32; LANES], most: f32) -> u8 {
        let most = self.avx._mm256_set1_ps(most);
        let is_at_most =
            self.avx._mm256_cmp_ps::<{ std::arch::x86_64::_CMP_LE_OQ }>(pulp::cast(lanes), most);
        let bits = self.avx._mm256_movemask_ps(is_at_most);
        u8::try_from(bits).expect("a bit for each of eight lanes")
    }

    #[inline(always)]
    fn to_front(&self, lanes: [u32; LANES], bits: u8) -> [u32; LANES] {
        let order = pulp::cast(ORDERS[usize::from(bits)]);
        pulp::cast(self.avx2._mm256_permutevar8x32_epi32(pulp::cast(lanes), order))
    }
}

pub(super) const LANES: usize = 8;
/// For each set of lanes their numbers, in order.
static ORDERS: [[u32; LANES]; 256] = orders();

const fn orders() -> [[u32; LANES]; 256] {
    let mut orders = [[0; LANES]; 256];
    let mut bits = 0;
    while bits < orders.len() {
        let (mut lane, mut at) = (0, 0);
        while lane < 8 {
            if bits >> lane & 1 == 1 {
                orders[bits][at] = lane;
                at += 1;
            }
            lane += 1;
        }
        bits += 1;
    }
    orders
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::geo::numbers::Numbers;

    #[test]
    fn vectors_do_as_plain_loops_do() {
        // Other processors have the plain loops alone.
        let Some(vectors) = pulp::x86::V3::try_new() else { return };
        let mut numbers = Numbers(13);
        let ends = [f32::NEG_INFINITY, f32::MIN, -0.0, 0.0, f32::MIN_POSITIVE, 1.0, f32::INFINITY];
        for bits in 0..=u8::MAX {
            let ids = [0; LANES].map(|_| numbers.below(u32::MAX));
            let [plain, ours] =
                [Plain.to_front(ids, bits), pack(vectors, |v| v.to_front(ids, bits))];
            let count = bits.count_ones() as usize;
            assert_eq!(plain[..count], ours[..count], "{bits:b}");
            let expected: Vec<u32> =
                (0..LANES).filter(|lane| bits >> lane & 1 == 1).map(|lane| ids[lane]).collect();
            assert_eq!(plain[..count], expected, "{bits:b}");
            for most in ends {
                let lanes = [0; LANES].map(|_| ends[numbers.below(7) as usize]);
                let at_most = pack(vectors, |v| v.at_most(lanes, most));
                assert_eq!(Plain.at_most(lanes, most), at_most, "{lanes:?} to {most}");
                let one = lanes.map(f32::next_up);
                let at_most = pack(vectors, |v| v.at_most(one, most));
                assert_eq!(Plain.at_most(one, most), at_most, "{one:?} to {most}");
            }
        }
    }

    fn pack<T>(vectors: pulp::x86::V3, ask: impl FnOnce(pulp::x86::V3) -> T) -> T {
        struct Ask<F>(F, pulp::x86::V3);
        impl<T, F: FnOnce(pulp::x86::V3) -> T> pulp::WithSimd for Ask<F> {
            type Output = T;
            fn with_simd<S: pulp::Simd>(self, _: S) -> T {
                (self.0)(self.1)
            }
        }
        pulp::Simd::vectorize(vectors, Ask(ask, vectors))
    }
}
