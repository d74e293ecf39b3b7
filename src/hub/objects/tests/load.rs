//! What one input may cost a lane, and who may take its room.

use super::*;
use crate::base::limits;
use crate::channel::Fence;
use crate::geo::Transition;

fn town() -> Town {
    Town::new(options())
}

fn nearest(count: usize, to: Point) -> AreaSource {
    AreaSource::Nearest { count, to, within: None }
}

fn numbered(number: usize) -> Channel {
    Channel::parse(&format!("cars:{number}")).unwrap()
}

fn set(town: &mut Town, number: usize, key: &str) {
    let fix = Arc::new(Fix::bare(key, point(52.0, 13.0)));
    let kind = EventKind::Fix(fix, town.options.clone());
    town.apply(Input::Event(Event { channel: numbered(number), kind }));
}

impl Town {
    fn kind_at(&mut self, key: &str, kind: &str, lat: f64) {
        let tags = [("kind".to_owned(), kind.to_owned())].into();
        self.fix(Fix { tags, ..Fix::bare(key, point(lat, 13.0)) });
    }

    fn puts_off(&self) -> bool {
        self.lane.objects(&channel()).unwrap().chores.next_deadline().is_some()
    }
}

/// What ordinary lists and areas that follow ask of a lane is done in its turn, however much comes at
/// once: nobody is told of a list that is shorter than it should be.
#[test]
fn what_many_subscribers_see_is_whole_while_a_thousand_fixes_come_at_once() {
    let mut town = town();
    let mut seed = 7_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(seed >> 33).unwrap()) / f64::from(u32::MAX >> 1)
    };
    for number in 0..400 {
        town.at(&format!("o{number}"), 52.0 + 0.1 * random(), 13.0 + 0.1 * random());
    }
    for session in 0..40 {
        let to = point(52.0 + 0.1 * random(), 13.0 + 0.1 * random());
        town.look(session, nearest(1 + usize::try_from(session % 5).unwrap(), to));
    }
    for session in 40..80 {
        let key = format!("o{session}");
        town.look(session, AreaSource::FollowObject { object: object(&key), radius: Metres(20e3) });
        town.follow(session, &key);
    }
    for number in 0..1000 {
        town.at(&format!("o{}", number % 400), 52.0 + 0.1 * random(), 13.0 + 0.1 * random());
        assert!(!town.puts_off(), "after {number} fixes");
    }
}

/// Two that mirror one another are as far by the square of the chord, but not always by the
/// distance as it is rounded.
#[test]
fn of_two_as_far_an_old_list_and_a_new_one_have_the_same() {
    let mut town = town();
    let mut seed = 1_u64;
    let mut random = |least: f64, most: f64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = f64::from(u32::try_from(seed >> 33).unwrap()) / f64::from(u32::MAX >> 1);
        least + part * (most - least)
    };
    for pair in 0..500 {
        let (lat, lng, away) = (random(-60.0, 60.0), random(-100.0, 100.0), random(0.01, 1.0));
        let to = point(lat, lng);
        let old = town.look(1, nearest(1, to));
        let (first, last) = if pair % 2 == 0 { (away, -away) } else { (-away, away) };
        town.at("a", lat, lng + first);
        town.at("b", lat, lng + last);
        let held = seen(&old).into_iter().rfold(String::new(), |held, told| {
            match told.strip_prefix("enter ") {
                Some(entered) if held.is_empty() => entered.split(' ').next().unwrap().to_owned(),
                _ => held,
            }
        });
        assert_eq!(seen(&town.look(2, nearest(1, to))), [format!("[{held}]")], "{to:?}");
        for session in [1, 2] {
            town.leave(session);
        }
        town.remove("a");
        town.remove("b");
    }
}

#[test]
fn a_list_that_has_lost_too_many_is_filled_when_there_is_time() {
    let mut town = town();
    for number in 0..40 {
        town.kind_at(&format!("{number:02}"), "taxi", 52.0 + f64::from(number) * 0.001);
    }
    let view =
        View { filter: Some(tag_filter("taxi")), ..town.view(nearest(2, point(52.0, 13.0))) };
    let pile = town.join(1, view);
    town.lane.allow(1);
    let _ = town.look(2, AreaSource::FollowMe { radius: Metres(20_000.0) });
    town.change(2, AreaChange::Located(point(52.0, 13.0)));
    seen(&pile);
    for number in 0..3 {
        town.remove(&format!("{number:02}"));
    }
    let expected = [
        "exit 00 deleted",
        "enter 02 area_changed",
        "exit 01 deleted",
        "enter 03 area_changed",
        "exit 02 deleted",
    ];
    assert_eq!(seen(&pile), expected, "it is as long as what is known");
    assert!(town.puts_off());
    town.pass(Duration::from_secs(1));
    assert_eq!(seen(&pile), ["enter 04 area_changed"]);
    assert!(!town.puts_off());
}

#[test]
fn areas_that_follow_wait_for_their_turn_and_only_the_last_place_counts() {
    let mut town = town();
    for (key, lat) in [("a", 52.0), ("b", 53.0)] {
        town.at(key, lat, 13.0);
    }
    let follow = || AreaSource::FollowMe { radius: Metres(1000.0) };
    let (one, other) = (town.look(1, follow()), town.look(2, follow()));
    town.lane.allow(1);
    town.change(1, AreaChange::Located(point(52.0, 13.0)));
    town.change(2, AreaChange::Located(point(52.0, 13.0)));
    town.change(2, AreaChange::Located(point(53.0, 13.0)));
    assert_eq!(seen(&one), ["[]", "enter a area_changed"]);
    assert_eq!(seen(&other), ["[]"]);
    town.pass(Duration::from_millis(10));
    assert_eq!(seen(&other), ["enter b area_changed"]);
    town.change(1, AreaChange::Located(point(10.0, 10.0)));
    town.change(2, AreaChange::Located(point(52.0, 13.0)));
    town.leave(2);
    town.pass(Duration::from_millis(10));
    assert_eq!(seen(&other), [""; 0]);
}

#[test]
fn an_area_that_comes_to_have_too_many_objects_ends_the_subscription() {
    let mut town = Town::new(GeoOptions { objects_max: 2, ..options() });
    for key in ["a", "b", "c"] {
        town.at(key, 52.0, 13.0);
    }
    let detect = [Transition::Enter].into_iter().collect();
    let follow = town.view(AreaSource::FollowMe { radius: Metres(1000.0) });
    let guarding = View { detect: Some(detect), ..follow.clone() };
    let limited = View { limit: Some(1), ..town.view(circle(53.0, 13.0, 1000.0)) };
    let (seeing, guarding) = (town.join(1, follow), town.join(2, guarding));
    for session in [1, 2] {
        town.change(session, AreaChange::Located(point(52.0, 13.0)));
    }
    let expected = ["[]", "refused: area: 3 objects in it, at most 2"];
    assert_eq!(seen(&seeing), expected);
    assert_eq!(seen(&guarding), expected);
    assert_eq!(town.lane.counts().subscriptions, 0);
    let limited = town.join(3, limited);
    town.remove("c");
    town.change(
        3,
        AreaChange::Moved { area: circle(52.0, 13.0, 1000.0), centers: Box::default(), token: 1 },
    );
    assert_eq!(seen(&limited), ["[]", "not moved: area: 2 objects in it, at most 1"]);
}

#[test]
fn a_fence_of_a_subscription_holds_as_many_as_its_view_would_show() {
    let mut town = Town::new(GeoOptions { objects_max: 2, ..options() });
    let detect = Some([Transition::Enter, Transition::Exit].into_iter().collect());
    let view = View { detect, ..town.view(circle(52.0, 13.0, 1000.0)) };
    let pile = town.join(1, view.clone());
    for key in ["a", "b", "c"] {
        town.at(key, 52.0, 13.0);
    }
    assert_eq!(seen(&pile), ["[]", "enter a created", "enter b created"]);
    assert_eq!(town.lane.take_ignored().stays, 1);
    assert_eq!(seen(&town.join(2, view)), ["refused: area: 3 objects in it, at most 2"]);
    town.at("a", 53.0, 13.0);
    town.at("c", 52.0, 13.0);
    assert_eq!(seen(&pile), ["exit a moved", "enter c moved"]);
}

/// Subscriptions take half of what a channel remembers, and no more.
#[test]
fn the_servers_fences_have_a_share_that_subscriptions_cannot_take() {
    let many = 1000;
    let mut town = Town::new(GeoOptions { objects_max: many, ..options() });
    for number in 0..many {
        town.at(&number.to_string(), 52.0, 13.0);
    }
    let detect = Some([Transition::Exit].into_iter().collect());
    let view = View { detect, ..town.view(circle(52.0, 13.0, 1000.0)) };
    let fits = limits::VIEWER_STAYS / many;
    for session in 0..fits {
        let pile = town.join(u64::try_from(session).unwrap(), view.clone());
        assert_eq!(seen(&pile), ["[]"]);
    }
    let refused = town.join(u64::MAX, view);
    assert_eq!(seen(&refused), ["refused: area: 1000 objects in it, at most 0"]);
    let detect = [Transition::Enter].into_iter().collect();
    let fence = Fence::of("shop", circle(52.0, 13.0, 1000.0), detect);
    let options = town.options.clone();
    town.act(ObjectAct::SetFence { fence: Arc::new(fence), options });
    assert_eq!(town.lane.take_outputs().len(), many);
    assert_eq!(town.lane.take_ignored().stays, 0);
}

#[test]
fn a_lane_has_so_many_channels_of_objects_and_no_more() {
    let mut town = town();
    let most = limits::LANE_OBJECT_CHANNELS;
    for number in 0..most {
        set(&mut town, number, "a");
    }
    assert_eq!(town.lane.take_ignored(), Default::default());
    set(&mut town, most, "a");
    assert_eq!(town.lane.take_ignored().no_room, 1);
    assert!(town.lane.objects(&numbered(most)).is_none(), "nor is anything kept of it");
    set(&mut town, 0, "b");
    assert_eq!(town.lane.counts().objects, most + 1, "a channel that is there may have more");
    for key in ["a", "b"] {
        let kind = EventKind::Removed { key: key.into() };
        town.apply(Input::Event(Event { channel: numbered(0), kind }));
    }
    set(&mut town, most, "a");
    assert_eq!(town.lane.counts().objects, most);
}

#[test]
fn what_expires_together_goes_in_portions() {
    let mut town = town();
    let more = limits::EXPIRY_PORTION + 10;
    for number in 0..more {
        town.at(&number.to_string(), 52.0, 13.0);
    }
    let end = town.lane.next_deadline().unwrap();
    town.set_clock(end);
    town.lane.handle_timeout(town.now);
    assert_eq!(town.lane.counts().objects, 10);
    town.pass(limits::LOOKS_PAUSE);
    assert_eq!(town.lane.counts().objects, 0);
    assert_eq!(town.lane.next_deadline(), None);
}

#[test]
fn many_channels_expire_in_portions() {
    let mut town = town();
    let portion = limits::EXPIRY_PORTION / limits::EXPIRY_ROOM;
    for number in 0..portion {
        set(&mut town, number, "a");
    }
    let end = town.lane.next_deadline().unwrap();
    town.set_clock(end);
    town.lane.handle_timeout(town.now);
    assert_eq!(town.lane.counts().objects, portion / 9);
    assert_eq!(town.lane.next_deadline(), Some(end));
    town.pass(Duration::ZERO);
    assert_eq!(town.lane.counts().objects, 0);
}
