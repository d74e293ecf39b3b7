//! What a fence tells of an object.

/// One transition. Where one fix causes several, they are told in this order, those of one kind by
/// the fence's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Transition {
    Exit,
    Outside,
    Enter,
    Inside,
    /// Both ends of the way from fix to fix are outside, and the great circle between them meets
    /// the area.
    Cross,
    /// The object has been inside for the dwell time; told once for each stay.
    Dwell,
    /// The object came near the boundary from outside; told once until it has left that band.
    Approach,
}

impl Transition {
    pub(crate) const ALL: [Self; 7] = [
        Self::Exit,
        Self::Outside,
        Self::Enter,
        Self::Inside,
        Self::Cross,
        Self::Dwell,
        Self::Approach,
    ];

    /// As `detect` names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Outside => "outside",
            Self::Enter => "enter",
            Self::Inside => "inside",
            Self::Cross => "cross",
            Self::Dwell => "dwell",
            Self::Approach => "approach",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of transitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Detect(u8);

impl Detect {
    pub(crate) fn has(self, transition: Transition) -> bool {
        self.0 & transition.bit() != 0
    }
}

impl FromIterator<Transition> for Detect {
    fn from_iter<I: IntoIterator<Item = Transition>>(transitions: I) -> Self {
        Self(transitions.into_iter().fold(0, |bits, one| bits | one.bit()))
    }
}
