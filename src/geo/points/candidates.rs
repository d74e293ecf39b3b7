//! [`Candidates`]: the points that may be among the nearest, by rounded chords.

/// Points with the squares of their rounded chords. Those are kept that may be among the `count`
/// nearest of all that were pushed.
#[derive(Debug)]
pub(super) struct Candidates {
    count: usize,
    all: Vec<(f32, u32)>,
    /// When it is time to look which can no longer be.
    full: usize,
    /// See [`Candidates::limit`].
    limit: f64,
}

impl Candidates {
    pub(super) fn new(count: usize) -> Self {
        let full = 4 * count + 64;
        Self { count, all: Vec::with_capacity(full.min(128)), full, limit: f64::INFINITY }
    }

    /// A chord in Earth radii: none is among the nearest whose own looks longer by more than its
    /// doubt.
    pub(super) fn limit(&self) -> f64 {
        self.limit
    }

    pub(super) fn push(&mut self, id: u32, square: f32) {
        self.all.push((square, id));
    }

    /// `doubt` is twice as much as any chord may be longer or shorter than it looks.
    pub(super) fn drop_far(&mut self, doubt: f64) {
        if self.all.len() >= self.full {
            self.keep_near(doubt);
            // Many may be equally far.
            self.full = 2 * self.all.len() + 4 * self.count + 64;
        }
    }

    /// All that may be among the nearest; `None` where there are not as many as asked for.
    pub(super) fn near(&mut self, doubt: f64) -> Option<&[(f32, u32)]> {
        self.keep_near(doubt);
        (self.all.len() >= self.count).then_some(&self.all)
    }

    pub(super) fn all(&self) -> &[(f32, u32)] {
        &self.all
    }

    fn keep_near(&mut self, doubt: f64) {
        if self.all.len() <= self.count {
            return;
        }
        let by_square = |one: &(f32, u32), other: &(f32, u32)| one.0.total_cmp(&other.0);
        let (_, last, _) = self.all.select_nth_unstable_by(self.count, by_square);
        // One of the nearest may look farther than it is, and another nearer.
        let limit = f64::from(last.0).sqrt() + doubt;
        self.all.retain(|one| f64::from(one.0) <= limit * limit);
        self.limit = limit;
    }
}
