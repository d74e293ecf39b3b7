//! What fences tell, of subscriptions and of the server.

use proptest::prelude::*;

use super::*;
use crate::base::limits;
use crate::channel::Fence;
use crate::geo::{Detect, Transition, Vertex};

fn detect(names: &str) -> Detect {
    let has = |transition: &Transition| names.split(' ').any(|name| name == transition.name());
    Transition::ALL.into_iter().filter(has).collect()
}

fn fence(name: &str, area: AreaSource, told: &str) -> Fence {
    Fence::of(name, area, detect(told))
}

fn bbox(west: f64, east: f64, south: f64, north: f64) -> AreaSource {
    let (southwest, northeast) =
        (Vertex { lng: west, lat: south }, Vertex { lng: east, lat: north });
    AreaSource::Fixed(Arc::new(Area::bbox(southwest, northeast).unwrap()))
}

impl Town {
    fn set_fence(&mut self, fence: Fence) -> Vec<String> {
        let (fence, options) = (Arc::new(fence), self.options.clone());
        self.act(ObjectAct::SetFence { fence, options });
        self.told()
    }

    /// What the server's fences told since this was last asked: transition, fence, object, reason.
    fn told(&mut self) -> Vec<String> {
        let told = |output| match output {
            Output::Fence { fence, channel: of, notice } => {
                assert_eq!(of, channel());
                let (happening, key) = (notice.happening.name(), &notice.object.fix.key);
                format!("{happening} {} {key} {}", fence.name, notice.reason.name())
            }
            other => panic!("{other:?}"),
        };
        self.lane.take_outputs().into_iter().map(told).collect()
    }

    fn moved(&mut self, lat: f64, lng: f64) -> Vec<String> {
        self.at("car", lat, lng);
        let told = self.told();
        told.into_iter().map(|one| one.replace(" car moved", "")).collect()
    }
}

const ALL_FIVE: &str = "enter exit inside outside cross";

fn town() -> Town {
    Town::new(options())
}

#[test]
fn a_circle_tells_what_happens_at_it() {
    let mut town = town();
    town.set_fence(fence("pen", circle(33.0, -115.0, 5000.0), ALL_FIVE));
    town.at("car", 33.0, -115.0);
    assert_eq!(town.told(), ["enter pen car created", "inside pen car created"]);
    assert_eq!(town.moved(34.0, -115.0), ["exit pen", "outside pen"]);
}

#[test]
fn transitions_of_many_fences_come_in_order() {
    let mut town = town();
    for (name, west, east, south, north) in [
        ("D", -111.92562, -111.90022, 33.40064, 33.42213),
        ("B", -111.93953, -111.92631, 33.40350, 33.41998),
        ("C", -111.92558, -111.91202, 33.40343, 33.41994),
        ("A", -111.95206, -111.92631, 33.40049, 33.42227),
    ] {
        town.set_fence(fence(name, bbox(west, east, south, north), ALL_FIVE));
    }
    town.at("car", 33.412529, -111.933689);
    town.told();
    let expected = [
        "exit A",
        "exit B",
        "outside A",
        "outside B",
        "enter C",
        "enter D",
        "inside C",
        "inside D",
    ];
    assert_eq!(town.moved(33.412529, -111.919098), expected);
}

#[test]
fn a_way_through_an_area_crosses_it() {
    let mut town = town();
    town.set_fence(fence("X", circle(10.0, 10.0, 10_000.0), "enter exit cross"));
    town.set_fence(fence("Y", circle(10.0, 10.0, 10_000.0), ALL_FIVE));
    town.moved(10.0, 10.0);
    assert_eq!(town.moved(9.85, 10.0), ["exit X", "exit Y", "outside Y"]);
    assert_eq!(town.moved(10.15, 10.0), ["outside Y", "cross X", "cross Y"]);
    assert_eq!(town.moved(10.16, 10.0), ["outside Y"]);
    town.set_fence(fence("X", circle(0.0, 0.0, 10_000.0), "cross"));
    town.set_fence(fence("Y", circle(0.0, 180.0, 10_000.0), "cross"));
    town.at("ship", 0.0, 179.8);
    town.at("ship", 0.0, -179.8);
    assert_eq!(town.told(), ["cross Y ship moved"], "the short way");
}

#[test]
fn what_is_too_long_or_too_fast_crosses_nothing() {
    let cross_time_max = Some(Duration::from_secs(60));
    let limited = GeoOptions { cross_time_max, cross_speed_max: Some(1000.0), ..options() };
    let mut town = Town::new(limited);
    town.set_fence(fence("X", circle(10.0, 10.0, 10_000.0), "cross"));
    for (seconds, expected) in [(61, 0), (20, 0), (60, 1), (34, 1)] {
        town.remove("car");
        for (lat, wait) in [(9.85, Duration::ZERO), (10.15, Duration::from_secs(seconds))] {
            town.set_clock(town.now.moment.after(wait));
            let accepted = town.now.moment;
            town.fix(Fix { accepted, ..Fix::bare("car", point(lat, 10.0)) });
        }
        assert_eq!(town.told().len(), expected, "33 km in {seconds} s");
    }
}

#[test]
fn roaming_partners_meet_and_part() {
    let mut town = town();
    let first = [-111.936693, -111.930513, -111.924162, -111.917896, -111.911116, -111.905107];
    let second = [-111.897469, -111.905193, -111.911545, -111.917810, -111.924162, -111.930599];
    let follow =
        |key: &str| AreaSource::FollowObject { object: object(key), radius: Metres(1000.0) };
    let piles = [(1, "car1"), (2, "car2")].map(|(session, key)| {
        let detect = Some(detect("enter exit"));
        let pile = town.join(session, View { detect, distance: true, ..town.view(follow(key)) });
        town.follow(session, key);
        pile
    });
    for (one, other) in first.into_iter().zip(second) {
        town.at("car1", 33.414750, one);
        town.at("car2", 33.414750, other);
    }
    town.at("car1", 33.414750, -111.897469);
    let said = |pile: &Pile| -> Vec<String> {
        let said = |mail: &Mail| match mail {
            Mail::Object { distance: Some(away), .. } => {
                format!("{} at {:.1}", written(mail), away.0)
            }
            mail => written(mail),
        };
        pile.take().iter().map(said).collect()
    };
    let expected = ["[]", "enter car2 area_changed at 589.5", "exit car2 moved at 1210.9"];
    assert_eq!(said(&piles[0]), expected);
    let expected = ["[]", "enter car1 moved at 589.5", "exit car1 area_changed at 1210.9"];
    assert_eq!(said(&piles[1]), expected);
    town.at("car1", 33.414750, -111.93);
    assert_eq!(said(&piles[0]).len() + said(&piles[1]).len(), 2);
    town.remove("car1");
    assert_eq!(said(&piles[0]).len(), 1, "who follows nothing is nowhere");
    assert_eq!(said(&piles[1]), ["exit car1 deleted at 55.6"]);
}

#[test]
fn a_stay_becomes_a_dwell_without_a_further_fix() {
    let mut town = town();
    let dwell = Some(Duration::from_secs(10));
    let home = || circle(52.0, 13.0, 100.0);
    town.set_fence(Fence { dwell, ..fence("home", home(), "dwell exit") });
    let view = View { dwell, detect: Some(detect("dwell")), ..town.view(home()) };
    let pile = town.join(1, view);
    town.at("car", 52.0, 13.0);
    town.pass(Duration::from_millis(9999));
    assert_eq!(town.told(), [""; 0]);
    town.pass(Duration::from_millis(1));
    assert_eq!(town.told(), ["dwell home car moved"]);
    assert_eq!(seen(&pile), ["[]", "dwell car moved"]);
    assert_eq!(town.moved(52.0001, 13.0), [""; 0], "once for each stay");
    town.pass(Duration::from_secs(20));
    assert_eq!(town.moved(53.0, 13.0), ["exit home"]);
    town.moved(52.0, 13.0);
    // A lane that is late: the timer did not run when the object went on.
    town.set_clock(town.now.moment.after(Duration::from_secs(10)));
    assert_eq!(town.moved(53.0, 13.0), ["dwell home", "exit home"]);
    town.moved(52.0, 13.0);
    town.pass(Duration::from_secs(9));
    assert_eq!(town.moved(53.0, 13.0), ["exit home"]);
    town.pass(Duration::from_secs(9));
    assert_eq!(town.told(), [""; 0]);
}

#[test]
fn a_jitter_at_the_edge_is_no_exit() {
    let mut town = town();
    town.set_fence(fence("pen", circle(0.0, 0.0, 1000.0), "enter exit"));
    let metre = 1.0 / 111_195.08;
    let at = |metres: f64| metres * metre;
    assert_eq!(town.moved(at(1001.0), 0.0), [""; 0]);
    assert_eq!(town.moved(at(999.0), 0.0), ["enter pen"]);
    assert_eq!(town.moved(at(1019.0), 0.0), [""; 0]);
    assert_eq!(town.moved(at(1021.0), 0.0), ["exit pen"]);
    town.moved(at(999.0), 0.0);
    let accuracy = Some(Metres(50.0));
    town.fix(Fix { accuracy, ..Fix::bare("car", point(at(1049.0), 0.0)) });
    assert_eq!(town.told(), [""; 0], "as far as the fix may be off");
    town.set_fence(Fence {
        hysteresis: Some(Metres(0.0)),
        ..fence("pen", circle(0.0, 0.0, 1048.0), "enter exit")
    });
    assert_eq!(town.lane.take_outputs().len(), 0, "told as it was replaced");
    assert_eq!(town.moved(at(1047.0), 0.0), ["enter pen"]);
    assert_eq!(town.moved(at(1049.0), 0.0), ["exit pen"]);
}

#[test]
fn an_area_that_somebody_changes_is_taken_at_its_word_and_one_that_follows_is_not() {
    let mut town = town();
    let metre = 1.0 / 111_195.08;
    let pen = |north: f64| fence("pen", circle(north * metre, 0.0, 1000.0), "enter exit");
    town.at("car", 0.0, 0.0);
    assert_eq!(town.set_fence(pen(999.0)), ["enter pen car area_changed"]);
    assert_eq!(town.set_fence(pen(1001.0)), ["exit pen car area_changed"]);
    let area = AreaSource::FollowMe { radius: Metres(1000.0) };
    let view = View { detect: Some(detect("enter exit")), ..town.view(area) };
    let pile = town.join(1, view);
    for north in [999.0, 1019.0, 1021.0] {
        town.change(1, AreaChange::Located(point(north * metre, 0.0)));
    }
    assert_eq!(seen(&pile), ["[]", "enter car area_changed", "exit car area_changed"]);
}

#[test]
fn who_comes_near_is_told_once() {
    let mut town = town();
    town.set_fence(fence("pen", circle(0.0, 0.0, 1000.0), "approach enter exit"));
    let metre = 1.0 / 111_195.08;
    let mut moved = |metres: f64| town.moved(metres * metre, 0.0);
    assert_eq!(moved(1201.0), [""; 0]);
    assert_eq!(moved(1199.0), ["approach pen"]);
    assert_eq!(moved(1100.0), [""; 0]);
    assert_eq!(moved(1201.0), [""; 0]);
    assert_eq!(moved(1150.0), ["approach pen"]);
    assert_eq!(moved(900.0), ["enter pen"]);
    assert_eq!(moved(1150.0), ["exit pen"], "it comes from inside");
    assert_eq!(moved(1300.0), [""; 0]);
    assert_eq!(moved(1150.0), ["approach pen"]);
}

#[test]
fn a_fence_that_changes_over_still_objects_tells_who_is_in_it() {
    let mut town = town();
    town.at("a", 52.0, 13.0);
    town.at("b", 53.0, 13.0);
    let told = "enter exit inside outside";
    let here = fence("pen", circle(52.0, 13.0, 100.0), told);
    assert_eq!(town.set_fence(here.clone()), ["enter pen a area_changed"]);
    let there = fence("pen", circle(53.0, 13.0, 100.0), told);
    let expected = ["exit pen a area_changed", "enter pen b area_changed"];
    assert_eq!(town.set_fence(there), expected);
    assert_eq!(town.lane.fences(&channel()).len(), 1);
    town.set_zone("z", Some(around(Some(point(52.0, 13.0)), Metres(100.0))));
    let expected = ["exit pen b area_changed", "enter pen a area_changed"];
    assert_eq!(town.set_fence(Fence { area: AreaSource::Zone("z".into()), ..here }), expected);
    town.set_zone("z", None);
    assert_eq!(town.told(), ["exit pen a area_changed"]);
    town.act(ObjectAct::RemoveFence { name: "pen".into() });
    town.at("a", 52.001, 13.0);
    assert_eq!(town.told(), [""; 0]);
    assert_eq!(town.lane.fences(&channel()).len(), 0);
}

#[test]
fn what_is_no_longer_there_or_wanted_leaves() {
    let mut town = Town::new(GeoOptions { hide: vec!["home".into()], ..options() });
    let filter = Some(tag_filter("taxi"));
    town.set_fence(Fence { filter, ..fence("pen", circle(52.0, 13.0, 100.0), ALL_FIVE) });
    let taxi = |key: &str, kind: &str| {
        let tags = [("kind".to_owned(), kind.to_owned())].into();
        Fix { tags, ..Fix::bare(key, point(52.0, 13.0)) }
    };
    for (key, owner) in [("a", None), ("b", None), ("c", None), ("d", Some(SessionId(7)))] {
        town.fix(Fix { owner, ..taxi(key, "taxi") });
    }
    town.fix(taxi("bus", "bus"));
    assert_eq!(town.told().len(), 8);
    town.remove("a");
    assert_eq!(town.told(), ["exit pen a deleted"]);
    town.fix(taxi("b", "bus"));
    assert_eq!(town.told(), ["exit pen b filter"]);
    town.fix(taxi("b", "taxi"));
    assert_eq!(town.told(), ["enter pen b filter", "inside pen b filter"]);
    town.act(ObjectAct::Offline(SessionId(7)));
    assert_eq!(town.told(), ["exit pen d offline"]);
    town.set_zone("home", Some(around(Some(point(52.0, 13.0)), Metres(10.0))));
    assert_eq!(town.told(), ["exit pen b area_changed", "exit pen c area_changed"]);
    town.set_zone("home", None);
    let expected = [
        "enter pen b area_changed",
        "inside pen b area_changed",
        "enter pen c area_changed",
        "inside pen c area_changed",
    ];
    assert_eq!(town.told(), expected);
    town.pass(Duration::from_secs(60));
    assert_eq!(town.told(), ["exit pen c expired", "exit pen b expired"]);
}

#[test]
fn a_subscription_that_detects_is_told_transitions_alone() {
    let mut town = town();
    town.at("a", 52.0, 13.0);
    let area = circle(52.0, 13.0, 100.0);
    let view = View { detect: Some(detect("enter exit")), ..town.view(area) };
    let pile = town.join(1, view);
    assert_eq!(seen(&pile), ["[]", "enter a snapshot"]);
    town.at("a", 52.0001, 13.0);
    assert_eq!(seen(&pile), [""; 0]);
    let area = circle(53.0, 13.0, 100.0);
    town.change(1, AreaChange::Moved { area, centers: Box::default(), token: 1 });
    assert_eq!(seen(&pile), ["", "exit a area_changed"]);
    town.leave(1);
    town.at("a", 53.0, 13.0);
    assert_eq!(seen(&pile), [""; 0]);
}

/// One fence and one object, told from nothing but where the object was and is.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    is_in: bool,
    is_near: bool,
}

impl Pair {
    /// By distances alone: transitions in their order.
    fn step(&mut self, area: &Area, from: Option<&Point>, to: &Point) -> Vec<Transition> {
        let away = area.edge_distance(to);
        let was = *self;
        self.is_in = area.contains(to) || (was.is_in && away <= Metres(20.0));
        self.is_near = !self.is_in && away <= Metres(200.0);
        let mut told = Vec::new();
        let mut tell = |happens: bool, transition| told.extend(happens.then_some(transition));
        tell(was.is_in && !self.is_in, Transition::Exit);
        tell(!self.is_in, Transition::Outside);
        tell(!was.is_in && self.is_in, Transition::Enter);
        tell(self.is_in, Transition::Inside);
        let is_crossed = from.is_some_and(|from| from != to && area.meets_way(from, to));
        tell(!was.is_in && !self.is_in && is_crossed, Transition::Cross);
        tell(self.is_near && !was.is_near && !was.is_in, Transition::Approach);
        told
    }
}

/// Metres east and north of the middle.
fn spot() -> impl Strategy<Value = (f64, f64)> {
    let step = || prop_oneof![(-12..=12_i32).prop_map(|step| f64::from(step) * 90.0), -1e4..1e4];
    (step(), step())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The model looks at every fence for every fix.
    #[test]
    fn every_transition_is_found_where_it_happens(
        middle in 0..model::MIDDLES.len(),
        fences in prop::collection::vec((spot(), 1.0..1500.0_f64, any::<u8>()), 1..12),
        fixes in prop::collection::vec((0..3_usize, spot()), 1..30),
    ) {
        let (lat, lng) = model::MIDDLES[middle];
        let (middle, mut town) = (point(lat, lng), Town::new(options()));
        let mut pairs = Vec::new();
        for (number, ((east, north), radius, bits)) in fences.into_iter().enumerate() {
            let area = around(Some(model::displaced(middle, east, north)), Metres(radius));
            let has = |(bit, _): &(u8, Transition)| bits & (1 << bit) != 0;
            let all = (0..).zip(Transition::ALL).filter(|(_, one)| *one != Transition::Dwell);
            let told: Vec<Transition> = all.filter(has).map(|(_, one)| one).collect();
            let names: Vec<&str> = told.iter().map(|one| one.name()).collect();
            let name = format!("fence{number:02}");
            let source = AreaSource::Fixed(Arc::new(area.clone()));
            prop_assert_eq!(town.set_fence(fence(&name, source, &names.join(" "))).len(), 0);
            pairs.push((name, area, told, [Pair::default(); 3]));
        }
        let mut places = [None; 3];
        for (object, (east, north)) in fixes {
            let to = model::displaced(middle, east, north);
            let mut expected = Vec::new();
            for (name, area, wanted, of) in &mut pairs {
                let told = of[object].step(area, places[object].as_ref(), &to);
                let told = told.into_iter().filter(|one| wanted.contains(one));
                expected.extend(told.map(|one| (one, name.clone())));
            }
            expected.sort();
            let reason = if places[object].is_none() { "created" } else { "moved" };
            let expected: Vec<String> = expected
                .into_iter()
                .map(|(one, name)| format!("{} {name} car{object} {reason}", one.name()))
                .collect();
            places[object] = Some(to);
            town.fix(Fix::bare(&format!("car{object}"), to));
            prop_assert_eq!(town.told(), expected);
        }
    }
}

#[test]
fn a_fence_that_finds_no_room_is_refused_and_one_that_is_there_may_change() {
    let mut town = town();
    let area = circle(52.0, 13.0, 100.0);
    let view = View { detect: Some(detect("enter")), ..town.view(area.clone()) };
    town.join(1, view);
    for number in 1..limits::FENCES {
        let fence = Arc::new(fence(&number.to_string(), area.clone(), "enter"));
        town.act(ObjectAct::SetFence { fence, options: town.options.clone() });
    }
    let check =
        |town: &Town, name| town.lane.check_fence(&channel(), &fence(name, area.clone(), "exit"));
    assert_eq!(check(&town, "new"), Err(Refusal::TooManyFences(limits::FENCES)));
    assert_eq!(check(&town, "7"), Ok(()));
    town.set_fence(fence("7", area.clone(), "exit"));
    let changed = town.lane.fences(&channel()).into_iter().find(|one| &*one.name == "7").unwrap();
    assert_eq!(changed.detect, detect("exit"));
    town.act(ObjectAct::RemoveFence { name: "7".into() });
    assert_eq!(check(&town, "new"), Ok(()));
}
