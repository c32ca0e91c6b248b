//! Repeatable choices: the same seed gives the same workload.

/// A generator of the splitmix64 family: fast, and random enough to make up events. Not for secrets.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0, below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number from `first`, below `end`.
    pub(crate) fn between(&mut self, first: u64, end: u64) -> u64 {
        first + self.next() % (end - first)
    }

    /// A number from `first`, below `end`.
    pub(crate) fn uniform(&mut self, first: f64, end: f64) -> f64 {
        first + (end - first) * self.unit()
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A number whose logarithm is normal with this mean and deviation: prices.
    pub(crate) fn log_normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let (radius, turn) = ((-2.0 * (1.0 - self.unit()).ln()).sqrt(), std::f64::consts::TAU * self.unit());
        (mean + deviation * radius * turn.cos()).exp()
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.between(0, choices.len() as u64) as usize]
    }

    /// One of the choices, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, choices: &[(T, u64)]) -> T {
        let mut left = self.between(0, choices.iter().map(|(_, weight)| weight).sum());
        for (choice, weight) in choices {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return *choice,
            }
        }
        unreachable!("what is left is below the sum of the weights")
    }

    /// `count` different ones of the choices.
    pub(crate) fn sample<T: Copy>(&mut self, choices: &[T], count: usize) -> Vec<T> {
        let mut left = choices.to_vec();
        (0..count).map(|_| left.swap_remove(self.between(0, left.len() as u64) as usize)).collect()
    }

    /// `count` lower-case hexadecimal digits.
    pub(crate) fn hexadecimal(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from_digit(self.between(0, 16) as u32, 16).unwrap_or('0')).collect()
    }
}
