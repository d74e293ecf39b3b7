//! Anything that can happen to an object channel, at random.

use proptest::prelude::*;

use super::model::{KEYS, KINDS};
use crate::geo::FARTHEST;

#[derive(Clone, Debug)]
pub(super) enum Act {
    Fix { key: usize, spot: Spot, kind: usize, late: u64, owner: Option<u64> },
    Remove { key: usize },
    Pass { millis: u64 },
    Offline { owner: u64 },
    Join { session: u64, look: Look, filter: Option<usize>, within: bool, detects: bool },
    Leave { session: u64 },
    Move { session: u64, look: Look },
    Locate { session: u64, spot: Spot },
    Zone { name: &'static str, radius: Option<f64>, spot: Spot },
}

/// A place by its distance from the middle of all that happens, metres east and north.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot(pub(super) f64, pub(super) f64);

#[derive(Clone, Debug)]
pub(super) enum Look {
    Circle(Spot, f64),
    Box(Spot),
    Zone,
    Me(f64),
    Object(usize, f64),
    Nearest(usize, Spot, Option<f64>),
}

fn spot() -> impl Strategy<Value = Spot> {
    let step = prop_oneof![Just(0.0), (-4..=4_i32).prop_map(|step| f64::from(step) * 250.0)];
    (step.clone(), step).prop_map(|(east, north)| Spot(east, north))
}

fn look() -> impl Strategy<Value = Look> {
    let radius = prop_oneof![
        Just(0.001),
        Just(250.0),
        Just(251.0),
        Just(600.0),
        Just(6000.0),
        Just(FARTHEST.0)
    ];
    let within = prop::option::of(prop_oneof![Just(500.0), Just(900.0)]);
    prop_oneof![
        4 => (spot(), radius.clone()).prop_map(|(spot, radius)| Look::Circle(spot, radius)),
        1 => spot().prop_map(Look::Box),
        1 => Just(Look::Zone),
        1 => radius.clone().prop_map(Look::Me),
        1 => (0..KEYS.len(), radius).prop_map(|(key, radius)| Look::Object(key, radius)),
        2 => (1..4_usize, spot(), within)
            .prop_map(|(count, spot, within)| Look::Nearest(count, spot, within)),
    ]
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let (key, session) = (0..KEYS.len(), 0..4_u64);
    let zone = prop_oneof![Just("view"), Just("home")];
    let late = prop_oneof![3 => Just(0_u64), 1 => 1..3000_u64];
    let owner = prop::option::weighted(0.3, 0..2_u64);
    let radius = prop::option::weighted(0.8, prop_oneof![Just(260.0), Just(700.0)]);
    prop_oneof![
        12 => (key.clone(), spot(), 0..KINDS.len(), late, owner)
            .prop_map(|(key, spot, kind, late, owner)| Act::Fix { key, spot, kind, late, owner }),
        2 => key.prop_map(|key| Act::Remove { key }),
        3 => (0..4000_u64).prop_map(|millis| Act::Pass { millis }),
        1 => (0..2_u64).prop_map(|owner| Act::Offline { owner }),
        4 => (
            session.clone(),
            look(),
            prop::option::of(0..KINDS.len()),
            prop::bool::weighted(0.2),
            prop::bool::weighted(0.3),
        )
            .prop_map(|(session, look, filter, within, detects)| Act::Join {
                session, look, filter, within, detects,
            }),
        1 => session.clone().prop_map(|session| Act::Leave { session }),
        3 => (session.clone(), look()).prop_map(|(session, look)| Act::Move { session, look }),
        2 => (session, spot()).prop_map(|(session, spot)| Act::Locate { session, spot }),
        1 => (zone, radius, spot()).prop_map(|(name, radius, spot)| Act::Zone { name, radius, spot }),
    ]
}
