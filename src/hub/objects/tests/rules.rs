//! One rule at a time.

use super::*;
use crate::channel::{
    ClientDetails, DistanceRule, ObjectQuery, Publication, PushBody, SuspectRule,
};
use crate::hub::{Encoder, Ignored, Step};

const NEAR: (f64, f64) = (52.0, 13.0);

fn town() -> Town {
    Town::new(options())
}

#[test]
fn an_object_enters_moves_and_leaves() {
    let mut town = town();
    town.at("b", 52.001, 13.0);
    town.at("a", 52.002, 13.0);
    town.at("far", 53.0, 13.0);
    let pile = town.look(1, circle(52.0, 13.0, 1000.0));
    town.at("a", 52.003, 13.0);
    town.at("new", 52.0, 13.0);
    town.at("far", 52.001, 13.0);
    town.at("a", 53.0, 13.0);
    town.at("a", 54.0, 13.0);
    town.remove("b");
    town.remove("a");
    let expected = [
        "[a b]",
        "move a moved",
        "enter new created",
        "enter far moved",
        "exit a moved",
        "exit b deleted",
    ];
    assert_eq!(seen(&pile), expected);
}

#[test]
fn objects_expire_by_the_time_of_receipt() {
    let mut town = town();
    let pile = town.look(1, circle(52.0, 13.0, 1000.0));
    town.at("a", 52.0, 13.0);
    town.at("b", 52.0, 13.0);
    town.pass(Duration::from_secs(59));
    town.at("a", 52.0, 13.0);
    assert_eq!(seen(&pile), ["[]", "enter a created", "enter b created", "move a moved"]);
    town.pass(Duration::from_secs(1));
    assert_eq!(seen(&pile), ["exit b expired"]);
    town.pass(Duration::from_millis(58_999));
    assert_eq!(seen(&pile), [""; 0]);
    town.pass(Duration::from_millis(1));
    assert_eq!(seen(&pile), ["exit a expired"]);
    assert_eq!(town.lane.counts().objects, 0);
    assert_eq!(town.lane.next_deadline(), None);
}

#[test]
fn a_shorter_life_holds_for_objects_that_are_there() {
    let mut town = town();
    let pile = town.look(1, circle(52.0, 13.0, 1000.0));
    town.at("a", 52.0, 13.0);
    town.options = Arc::new(GeoOptions { object_ttl: Duration::from_secs(10), ..options() });
    town.pass(Duration::from_secs(5));
    town.at("b", 52.0, 13.0);
    town.pass(Duration::from_secs(5));
    assert_eq!(seen(&pile), ["[]", "enter a created", "enter b created", "exit a expired"]);
}

#[test]
fn a_session_takes_its_objects_with_it() {
    let mut town = town();
    let pile = town.look(1, circle(52.0, 13.0, 1000.0));
    for (key, owner) in [("a", Some(7)), ("b", Some(8)), ("c", None)] {
        let owner = owner.map(SessionId);
        town.fix(Fix { owner, ..Fix::bare(key, point(52.0, 13.0)) });
    }
    // What the backend says of it leaves it the client's.
    town.at("a", 52.0, 13.0);
    seen(&pile);
    town.act(ObjectAct::Offline(SessionId(7)));
    assert_eq!(seen(&pile), ["exit a offline"]);
    town.fix(Fix { owner: Some(SessionId(9)), ..Fix::bare("b", point(52.0, 13.0)) });
    town.act(ObjectAct::Offline(SessionId(8)));
    assert_eq!(seen(&pile), ["move b moved"]);
    town.apply(Input::Forget(SessionId(9)));
    assert_eq!(seen(&pile), ["exit b offline"]);
    assert_eq!(town.lane.counts().objects, 1);
}

#[test]
fn fixes_count_in_the_order_of_the_devices_clock() {
    let mut town = town();
    let pile = town.look(1, circle(52.0, 13.0, 1000.0));
    let unix = town.now.unix.0;
    let mut told = |time: Option<u64>| {
        let time = time.map(UnixMillis);
        town.fix(Fix { time, ..Fix::bare("a", point(52.0, 13.0)) });
        let mails = pile.take();
        let last = mails.last().cloned();
        last.map(|mail| match mail {
            Mail::Object { change, .. } => {
                (change.object.fix.time.map(|time| time.0), change.object.suspect)
            }
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(told(Some(unix - 100)), Some((Some(unix - 100), false)));
    assert_eq!(told(Some(unix - 100)), None, "equal");
    assert_eq!(told(Some(unix - 101)), None, "older");
    assert_eq!(told(Some(unix + 5000)), Some((Some(unix + 5000), false)), "ahead, but believed");
    assert_eq!(told(Some(unix + 5001)), Some((Some(unix), true)), "too far ahead");
    assert_eq!(told(Some(unix + 5001)), None, "the same again");
    assert_eq!(told(Some(unix + 9000)), Some((Some(unix), true)), "still too far ahead");
    assert_eq!(told(Some(unix + 4999)), None, "what was old stays old");
    assert_eq!(told(None), Some((None, false)), "without a clock");
    assert_eq!(told(None), Some((None, false)), "in the same millisecond");
    assert_eq!(town.lane.take_ignored().old, 4);
    assert_eq!(town.lane.take_ignored(), Ignored::default());
}

#[test]
fn what_is_too_fast_is_dropped_or_flagged() {
    let speed_max = Some(100.0);
    let fast = GeoOptions { speed_max, ..options() };
    let flag = GeoOptions { suspect: SuspectRule::Flag, ..fast.clone() };
    for (options, expected) in [(fast, 1), (flag, 0)] {
        let mut town = Town::new(options);
        town.at("a", 52.0, 13.0);
        town.pass(Duration::from_secs(10));
        town.at("a", 52.0089, 13.0); // 990 m
        town.pass(Duration::from_secs(10));
        town.at("a", 52.0180, 13.0); // 1012 m
        assert_eq!(town.lane.take_ignored().too_fast, expected);
        let room = town.lane.objects(&channel()).unwrap();
        let object = room.object("a").unwrap();
        assert_eq!(object.suspect, expected == 0);
        assert_eq!(object.fix.point.at.lat() > 52.01, expected == 0);
    }
}

#[test]
fn a_channel_has_so_many_objects_and_no_more() {
    let mut town = Town::new(GeoOptions { channel_objects_max: 2, ..options() });
    let pile = town.look(1, circle(52.0, 13.0, 1000.0));
    for key in ["a", "b", "c", "a"] {
        town.at(key, NEAR.0, NEAR.1);
    }
    town.remove("b");
    town.at("c", NEAR.0, NEAR.1);
    let expected = [
        "[]",
        "enter a created",
        "enter b created",
        "move a moved",
        "exit b deleted",
        "enter c created",
    ];
    assert_eq!(seen(&pile), expected);
    assert_eq!(town.lane.take_ignored().no_room, 1);
}

#[test]
fn a_filter_lets_in_and_out() {
    let mut town = town();
    let view = View { filter: Some(tag_filter("taxi")), ..town.view(circle(52.0, 13.0, 1000.0)) };
    let pile = town.join(1, view);
    let mut at = |lat: f64, kind: &str| {
        let tags = [("kind".to_owned(), kind.to_owned())].into();
        town.fix(Fix { tags, ..Fix::bare("a", point(lat, 13.0)) });
    };
    at(52.0, "bus");
    at(52.0, "taxi");
    at(52.001, "taxi");
    at(52.001, "bus");
    at(53.0, "taxi");
    at(52.0, "taxi");
    at(53.0, "bus");
    at(52.0, "bus");
    let expected =
        ["[]", "enter a filter", "move a moved", "exit a filter", "enter a moved", "exit a moved"];
    assert_eq!(seen(&pile), expected);
}

#[test]
fn what_goes_into_a_hidden_zone_is_gone_and_nobody_learns_where() {
    let mut town = Town::new(GeoOptions { hide: vec!["home".into()], ..options() });
    town.set_zone("home", Some(around(Some(point(52.0, 13.0)), Metres(100.0))));
    let pile = town.look(1, circle(52.0, 13.0, 1000.0));
    let follower =
        town.look(2, AreaSource::FollowObject { object: object("a"), radius: Metres(500.0) });
    town.follow(2, "a");
    town.at("b", 52.005, 13.0);
    town.at("a", 52.003, 13.0);
    assert_eq!(seen(&pile), ["[]", "enter b created", "enter a created"]);
    assert_eq!(seen(&follower), ["[]", "enter b area_changed"]);
    town.at("a", 52.0, 13.0);
    let mails = pile.take();
    assert_eq!(mails.iter().map(written).collect::<Vec<_>>(), ["exit a moved"]);
    let Mail::Object { change, .. } = &mails[0] else { panic!("told above") };
    assert_eq!(change.object.fix.point, point(52.003, 13.0));
    assert_eq!(seen(&follower), ["exit b area_changed"]);
    town.at("a", 52.0001, 13.0);
    assert_eq!(seen(&pile), [""; 0]);
    assert_eq!(seen(&town.look(3, circle(52.0, 13.0, 1000.0))), ["[b]"]);
    assert!(town.lane.objects(&channel()).unwrap().object("a").is_none());
    town.at("a", 52.003, 13.0);
    assert_eq!(seen(&pile), ["enter a moved"]);
    town.set_zone("home", Some(around(Some(point(52.0, 13.0)), Metres(400.0))));
    assert_eq!(seen(&pile), ["exit a area_changed"]);
    town.set_zone("home", None);
    assert_eq!(seen(&pile), ["enter a area_changed"]);
}

#[test]
fn nobody_learns_where_it_may_not_look() {
    let mut town = town();
    let view = View {
        within: Some(Arc::new(around(Some(point(52.0, 13.0)), Metres(500.0)))),
        ..town.view(circle(52.0, 13.0, 1000.0))
    };
    let pile = town.join(1, view);
    town.at("a", 52.008, 13.0);
    town.at("a", 52.004, 13.0);
    town.at("a", 52.008, 13.0);
    let mails = pile.take();
    let told: Vec<String> = mails.iter().map(written).collect();
    assert_eq!(told, ["[]", "enter a moved", "exit a moved"]);
    let Some(Mail::Object { change, .. }) = mails.last() else { panic!("told above") };
    assert_eq!(change.object.fix.point, point(52.004, 13.0));
}

#[test]
fn too_many_objects_are_refused_and_the_area_stays() {
    let mut town = Town::new(GeoOptions { objects_max: 2, ..options() });
    for key in ["a", "b", "c"] {
        town.at(key, 52.0, 13.0);
    }
    town.at("d", 53.0, 13.0);
    let refused = town.look(1, circle(52.0, 13.0, 1000.0));
    assert_eq!(seen(&refused), ["refused: area: 3 objects in it, at most 2"]);
    let pile = town.look(2, circle(53.0, 13.0, 1000.0));
    let moved = |area| AreaChange::Moved { area, centers: Box::default(), token: 5 };
    town.change(2, moved(circle(52.0, 13.0, 1000.0)));
    town.change(2, moved(AreaSource::Zone("none".into())));
    town.at("d", 53.001, 13.0);
    let expected = [
        "[d]",
        "not moved: area: 3 objects in it, at most 2",
        "not moved: zone: no zone \"none\"",
        "move d moved",
    ];
    assert_eq!(seen(&pile), expected);
    town.remove("a");
    town.change(2, moved(circle(52.0, 13.0, 1000.0)));
    town.at("d", 53.0, 13.0);
    town.at("b", 52.0, 13.0);
    assert_eq!(seen(&pile), ["+b +c -d", "move b moved"]);
}

#[test]
fn an_area_that_follows_tells_what_it_passes() {
    let mut town = town();
    town.at("a", 52.0, 13.0);
    town.at("b", 53.0, 13.0);
    let follow_me = AreaSource::FollowMe { radius: Metres(1000.0) };
    let me = town.look(1, follow_me);
    town.change(1, AreaChange::Located(point(52.0, 13.0)));
    town.change(1, AreaChange::Located(point(53.0, 13.0)));
    let expected = ["[]", "enter a area_changed", "exit a area_changed", "enter b area_changed"];
    assert_eq!(seen(&me), expected);
    let follow = AreaSource::FollowObject { object: object("c"), radius: Metres(1000.0) };
    let other = town.look(2, follow);
    town.follow(2, "c");
    town.at("c", 52.0, 13.0);
    town.at("c", 52.001, 13.0);
    town.remove("c");
    assert_eq!(seen(&other), ["[]", "enter a area_changed", "exit a area_changed"]);
    assert_eq!(town.lane.take_outputs().len(), 0, "followers of the lane itself move at once");
}

#[test]
fn a_room_ends_with_its_last_follower() {
    let mut town = town();
    let elsewhere = Channel::parse("chat:one").unwrap();
    let by = Subscriber { channel: elsewhere, ..subscriber(4) };
    let (key, options) = (Arc::<str>::from("a"), town.options.clone());
    town.act(ObjectAct::Follow { key: key.clone(), by: by.clone(), options });
    town.at("a", 52.0, 13.0);
    let at: Vec<Option<Point>> = town
        .lane
        .take_outputs()
        .into_iter()
        .map(|output| match output {
            Output::Followed { by: told, object: of, at } if told == by && of == object("a") => at,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(at, [None, Some(point(52.0, 13.0))]);
    town.remove("a");
    assert_eq!(town.lane.take_outputs().len(), 1);
    assert!(town.lane.objects(&channel()).is_some());
    town.act(ObjectAct::Unfollow { key, by });
    assert!(town.lane.objects(&channel()).is_none());
}

#[test]
fn the_nearest_are_so_many_and_no_more() {
    let mut town = town();
    let nearest = |count, within: Option<f64>| AreaSource::Nearest {
        count,
        to: point(52.0, 13.0),
        within: within.map(Metres),
    };
    for (key, lat) in [("a", 52.001), ("b", 52.002), ("c", 52.003), ("far", 55.0)] {
        town.at(key, lat, 13.0);
    }
    let pile = town.look(1, nearest(2, None));
    let within = town.look(2, nearest(3, Some(1000.0)));
    town.at("c", 52.0015, 13.0);
    town.at("c", 52.0016, 13.0);
    town.remove("a");
    town.at("b", 54.0, 13.0);
    let expected = [
        "[a b]",
        "exit b area_changed",
        "enter c moved",
        "move c moved",
        "exit a deleted",
        "enter b area_changed",
        "move b moved",
    ];
    assert_eq!(seen(&pile), expected);
    let expected = ["[a b c]", "move c moved", "move c moved", "exit a deleted", "exit b moved"];
    assert_eq!(seen(&within), expected);
    town.change(1, AreaChange::Moved { area: nearest(3, None), centers: Box::default(), token: 1 });
    assert_eq!(seen(&pile), ["+far"]);
}

#[test]
fn of_two_as_far_the_one_that_came_first_is_nearer() {
    let mut town = town();
    for (key, lat) in [("a", 52.002), ("b", 52.002), ("c", 52.001)] {
        town.at(key, lat, 13.0);
    }
    let source = AreaSource::Nearest { count: 2, to: point(52.0, 13.0), within: None };
    let pile = town.look(1, source);
    town.at("c", 52.002, 13.0);
    assert_eq!(seen(&pile), ["[a c]", "exit c moved", "enter b area_changed"]);
}

#[test]
fn distances_are_told_as_the_namespace_has_it() {
    for (rule, expected) in [
        (DistanceRule::Exact, Some(111.0)),
        (DistanceRule::Rounded(Metres(100.0)), Some(200.0)),
        (DistanceRule::Omitted, None),
    ] {
        let mut town = Town::new(GeoOptions { distance: rule, ..options() });
        let view = View { distance: true, ..town.view(circle(52.0, 13.0, 1000.0)) };
        let pile = town.join(1, view);
        town.at("a", 52.001, 13.0);
        let Some(Mail::Object { distance, .. }) = pile.take().pop() else { panic!("it enters") };
        let rounded = distance.map(|distance| distance.0.round());
        assert_eq!(rounded, expected);
    }
}

#[test]
fn queries_see_what_views_see() {
    let mut town = Town::new(GeoOptions { hide: vec!["home".into()], ..options() });
    town.set_zone("home", Some(around(Some(point(52.0, 13.0)), Metres(10.0))));
    for (key, lat) in [("a", 52.001), ("b", 52.004), ("c", 52.003), ("d", 52.002), ("e", 52.0)] {
        town.at(key, lat, 13.0);
    }
    let asked = |town: &Town, query: &ObjectQuery| {
        let (found, has_more) = town.lane.query(&channel(), query).unwrap();
        let keys: Vec<String> = found.iter().map(|one| one.object.fix.key.to_string()).collect();
        (keys.join(" "), has_more)
    };
    let nearby = |limit, after: Option<&str>| ObjectQuery::Nearby {
        area: circle(52.0, 13.0, 400.0),
        position: None,
        within: None,
        limit,
        after: after.map(Into::into),
    };
    assert_eq!(asked(&town, &nearby(2, None)), ("a c".into(), true));
    assert_eq!(asked(&town, &nearby(2, Some("c"))), ("d".into(), false));
    let allowed = Some(Arc::new(around(Some(point(52.003, 13.0)), Metres(120.0))));
    let (to, within) = (point(52.0, 13.0), Some(Metres(400.0)));
    let nearest = ObjectQuery::Nearest { to, count: 2, within, allowed };
    assert_eq!(asked(&town, &nearest), ("d c".into(), false));
    assert_eq!(town.lane.count(&channel(), &circle(52.0, 13.0, 400.0)), Ok(3));
}

#[test]
fn joins_and_leaves_of_clients_go_to_those_who_want_them() {
    struct Numbered;
    impl Encoder for Numbered {
        fn encode(&mut self, _: Encoding, _: &EventKind) -> PushBody {
            let (accepted, bytes) = (Moment(0), Bytes::new());
            PushBody { offset: 0, accepted, bytes, delta: None }
        }
        fn encode_step(&mut self, encoding: Encoding, step: &Step) -> PushBody {
            panic!("{encoding:?} {step:?}")
        }
        fn encode_at(&mut self, _: Encoding, _: &Publication, away: Metres) -> PushBody {
            panic!("{away:?}")
        }
    }
    let mut town = town();
    let quiet = town.look(1, circle(52.0, 13.0, 1.0));
    let mailbox = Pile::default();
    let view = Some(Arc::new(town.view(circle(52.0, 13.0, 1.0))));
    town.apply(Input::Join(Join {
        channel: channel(),
        session: SessionId(2),
        sub: SubId(1),
        encoding: Encoding::Json,
        delivery: Delivery { view, join_leave: true, ..Delivery::default() },
        mailbox: mailbox.clone(),
    }));
    assert_eq!((quiet.take().len(), mailbox.take().len()), (1, 1));
    let kind = EventKind::Join(Arc::new(ClientDetails::default()));
    let event = Input::Event(Event { channel: channel(), kind });
    let mut fan_out = town.lane.apply(event, town.now).expect("somebody wants it");
    while town.lane.deliver(&mut fan_out, 1, &mut Numbered) {}
    assert_eq!(fan_out.delivered(), 1);
    assert!(matches!(mailbox.take()[..], [Mail::Push { .. }]));
    assert_eq!(quiet.take().len(), 0);
}
