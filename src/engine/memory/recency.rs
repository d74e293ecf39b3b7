//! An order of slots by last use, O(1) for every operation.

/// A doubly linked list over slot numbers; the links lie in a vector that is as long as the
/// highest slot that was ever in the list.
#[derive(Debug, Default)]
pub(super) struct Recency {
    first: Option<usize>,
    last: Option<usize>,
    links: Vec<Link>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Link {
    before: Option<usize>,
    after: Option<usize>,
}

impl Recency {
    /// The slot that was used least recently.
    pub(super) fn first(&self) -> Option<usize> {
        self.first
    }

    /// Adds a slot that is not in the list.
    pub(super) fn push_back(&mut self, slot: usize) {
        if self.links.len() <= slot {
            self.links.resize(slot + 1, Link::default());
        }
        self.links[slot] = Link { before: self.last, after: None };
        match self.last {
            Some(last) => self.links[last].after = Some(slot),
            None => self.first = Some(slot),
        }
        self.last = Some(slot);
    }

    /// Takes out a slot that is in the list.
    pub(super) fn remove(&mut self, slot: usize) {
        let Link { before, after } = self.links[slot];
        match before {
            Some(before) => self.links[before].after = after,
            None => self.first = after,
        }
        match after {
            Some(after) => self.links[after].before = before,
            None => self.last = before,
        }
    }

    pub(super) fn move_to_back(&mut self, slot: usize) {
        if self.last != Some(slot) {
            self.remove(slot);
            self.push_back(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keeps_the_order_of_last_use(operations in prop::collection::vec((0..3, 0..8_usize), 0..200)) {
            let mut recency = Recency::default();
            let mut model: Vec<usize> = Vec::new();
            for (operation, slot) in operations {
                let there = model.contains(&slot);
                model.retain(|&one| one != slot);
                match (operation, there) {
                    (0, true) => recency.remove(slot),
                    (_, true) => { recency.move_to_back(slot); model.push(slot); }
                    (0, false) => {}
                    (_, false) => { recency.push_back(slot); model.push(slot); }
                }
                prop_assert_eq!(recency.first(), model.first().copied());
            }
            while let Some(first) = recency.first() {
                prop_assert_eq!(first, model.remove(0));
                recency.remove(first);
            }
            prop_assert!(model.is_empty());
        }
    }
}
