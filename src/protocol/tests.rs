//! Tests of the whole protocol. Every message can be sampled, field by field, so that a field that
//! one encoding forgets is found.

use crate::protocol::{SubsEntry, SubscribeResult};
use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::strategy::BoxedStrategy;

use super::field::Object;

mod bounds;
mod frames;
mod round_trips;
mod tables;

/// Samples a message or a field; messages within messages down to `levels`.
pub(super) trait Sample: Sized {
    fn sample(levels: u32) -> BoxedStrategy<Self>;
}

macro_rules! sample_numbers {
    ($($kind:ty),*) => {$(
        impl Sample for $kind {
            fn sample(_levels: u32) -> BoxedStrategy<Self> {
                prop_oneof![3 => Just(Self::default()), 2 => any::<Self>()].boxed()
            }
        }
    )*};
}

sample_numbers!(bool, i32, i64, u32, u64);

impl Sample for String {
    fn sample(_levels: u32) -> BoxedStrategy<Self> {
        prop_oneof![2 => Just(Self::new()), 1 => text()].boxed()
    }
}

impl Sample for Vec<String> {
    fn sample(_levels: u32) -> BoxedStrategy<Self> {
        vec(text(), 0..3).boxed()
    }
}

impl Sample for BTreeMap<String, String> {
    fn sample(_levels: u32) -> BoxedStrategy<Self> {
        btree_map(text(), text(), 0..3).boxed()
    }
}

/// Bytes that JSON can carry.
impl Sample for Bytes {
    fn sample(_levels: u32) -> BoxedStrategy<Self> {
        let embedded = json_value().prop_map(|value| Self::from(value.to_string()));
        prop_oneof![2 => Just(Self::new()), 1 => embedded].boxed()
    }
}

impl<T: Object + Sample + Clone + std::fmt::Debug + 'static> Sample for Option<T> {
    fn sample(levels: u32) -> BoxedStrategy<Self> {
        match levels.checked_sub(1) {
            None => Just(None).boxed(),
            Some(levels) => {
                prop_oneof![3 => Just(None), 1 => T::sample(levels).prop_map(Some)].boxed()
            }
        }
    }
}

impl<T: Object + Sample + Clone + std::fmt::Debug + 'static> Sample for Vec<T> {
    fn sample(levels: u32) -> BoxedStrategy<Self> {
        match levels.checked_sub(1) {
            None => Just(Self::new()).boxed(),
            Some(levels) => {
                prop_oneof![1 => Just(Self::new()), 1 => vec(T::sample(levels), 0..3)].boxed()
            }
        }
    }
}

impl Sample for Vec<SubsEntry> {
    fn sample(levels: u32) -> BoxedStrategy<Self> {
        BTreeMap::<String, SubscribeResult>::sample(levels)
            .prop_map(|subs| subs.into_iter().map(|(c, r)| SubsEntry::new(c, r)).collect())
            .boxed()
    }
}

impl<T: Object + Sample + Clone + std::fmt::Debug + 'static> Sample for BTreeMap<String, T> {
    fn sample(levels: u32) -> BoxedStrategy<Self> {
        match levels.checked_sub(1) {
            None => Just(Self::new()).boxed(),
            Some(levels) => btree_map(text(), T::sample(levels), 0..3).boxed(),
        }
    }
}

fn text() -> BoxedStrategy<String> {
    let character = prop_oneof![
        3 => any::<char>(),
        2 => proptest::char::range('a', 'z'),
        1 => proptest::sample::select(vec!['"', '\\', '\n', '\r', '\0', '\u{2028}', '😀']),
    ];
    vec(character, 0..6).prop_map(String::from_iter).boxed()
}

fn json_value() -> BoxedStrategy<serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        text().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            vec((text(), inner), 0..4).prop_map(serde_json::Value::from_iter),
        ]
    })
    .boxed()
}
