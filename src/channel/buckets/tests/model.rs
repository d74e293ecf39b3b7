//! Everything that was ever published as one list, searched from end to end.

use std::collections::HashMap;

use h3o::CellIndex;
use proptest::prelude::*;

use super::*;
use crate::channel::HistoryPage;
use crate::geo::{Purse, Vertex};

/// Far from each other, but for the last two, which are beside each other over the antimeridian.
const SPOTS: [(f64, f64); 5] =
    [(47.0, 8.0), (-33.9, 151.2), (89.999, 40.0), (0.0, 179.99), (0.0, -179.99)];

#[derive(Clone, Debug)]
enum Form {
    Point,
    /// Wider than a cell, in the bucket of its place.
    Narrow,
    Wide,
    Nowhere,
}

#[derive(Clone, Debug)]
enum Step {
    Append { spot: usize, form: Form, size: usize, ttl: u64, bytes_max: usize },
    Expire { max: usize },
    Clear,
    Shed,
    Pass(u64),
    Read { limit: usize, since: Option<u64>, reverse: bool, of: Option<usize> },
}

fn step() -> impl Strategy<Value = Step> {
    let form = prop_oneof![
        6 => Just(Form::Point), 1 => Just(Form::Narrow), 1 => Just(Form::Wide),
        1 => Just(Form::Nowhere)
    ];
    let bytes_max = prop_oneof![3 => Just(1 << 30), 1 => 0..12_000_usize];
    let size = prop_oneof![4 => Just(3), 1 => 0..6_usize];
    prop_oneof![
        10 => (0..SPOTS.len(), form, size, 1..60_u64, bytes_max).prop_map(
            |(spot, form, size, ttl, bytes_max)| Step::Append { spot, form, size, ttl, bytes_max }
        ),
        1 => (0..4_usize).prop_map(|max| Step::Expire { max }),
        1 => Just(Step::Clear),
        1 => Just(Step::Shed),
        3 => (0..15_u64).prop_map(Step::Pass),
        9 => (0..6_usize, prop::option::of(0..40_u64), any::<bool>(),
            prop::option::weighted(0.8, 0..SPOTS.len()))
            .prop_map(|(limit, since, reverse, of)| Step::Read { limit, since, reverse, of }),
    ]
}

fn publication(spot: usize, form: &Form) -> Publication {
    let (lat, lng) = SPOTS[spot];
    match form {
        Form::Point => at(lat, lng),
        Form::Narrow => wide(lat, lng, 19_000.0),
        Form::Wide => wide(lat, lng, 150_000.0),
        Form::Nowhere => Publication::default(),
    }
}

/// As H3 itself says it.
fn cell(publication: &Publication, form: &Form) -> Option<CellIndex> {
    let place = publication.place.as_ref().filter(|_| !matches!(form, Form::Wide))?;
    Some(h3o::LatLng::new(place.at.at.lat(), place.at.at.lng()).unwrap().to_cell(Resolution::Five))
}

#[derive(Debug)]
struct Item {
    publication: Arc<Publication>,
    taken: u64,
    cell: Option<CellIndex>,
    is_kept: bool,
}

#[derive(Debug, Default)]
struct Model {
    items: Vec<Item>,
    /// The highest offset that each bucket lost.
    buckets: HashMap<Option<CellIndex>, u64>,
    elsewhere: u64,
    ttl: u64,
}

impl Model {
    fn drop_if(&mut self, gone: impl Fn(&Item) -> bool) {
        for item in self.items.iter_mut().filter(|item| item.is_kept) {
            if gone(item) {
                item.is_kept = false;
                self.buckets.insert(item.cell, item.publication.offset);
            }
        }
    }

    fn sweep(&mut self, now: u64) {
        let ttl = self.ttl;
        self.drop_if(|item| item.taken + ttl <= now);
    }

    fn kept(&self) -> impl DoubleEndedIterator<Item = &Item> {
        self.items.iter().filter(|item| item.is_kept)
    }

    fn bytes(&self) -> usize {
        let each = self.kept().map(|item| weight(&item.publication) + SHARE_BYTES);
        each.sum::<usize>() + self.buckets.len() * BUCKET_BYTES
    }

    fn trim(&mut self, size: usize) {
        let newer = |item: &Item| {
            let same = self.kept().filter(|other| other.cell == item.cell);
            same.filter(|other| other.publication.offset > item.publication.offset).count()
        };
        let over: Vec<u64> = self
            .kept()
            .filter(|item| newer(item) >= size)
            .map(|item| item.publication.offset)
            .collect();
        self.drop_if(|item| over.contains(&item.publication.offset));
    }

    fn shed(&mut self) {
        let empty = |cell| !self.kept().any(|item| item.cell == cell);
        let empties: Vec<_> = self.buckets.iter().filter(|(cell, _)| empty(**cell)).collect();
        if 2 * empties.len() * BUCKET_BYTES > self.bytes() {
            let (&cell, &dropped) =
                empties.into_iter().min_by_key(|(_, dropped)| **dropped).unwrap();
            self.elsewhere = self.elsewhere.max(dropped);
            self.buckets.remove(&cell);
            return;
        }
        let oldest = self.kept().next().map(|item| item.publication.offset);
        self.drop_if(|item| Some(item.publication.offset) == oldest);
    }

    fn page(&self, query: &HistoryQuery, near: &[Option<CellIndex>]) -> (Vec<u64>, Option<bool>) {
        let since = query.since.as_ref().map(|since| since.offset);
        let mut wanted: Vec<u64> = self
            .kept()
            .filter(|item| {
                query
                    .audience
                    .as_ref()
                    .is_none_or(|who| who.gets(&item.publication, &mut Purse::default()))
            })
            .map(|item| item.publication.offset)
            .filter(|offset| match since {
                None => true,
                Some(since) if query.reverse => *offset < since,
                Some(since) => *offset > since,
            })
            .collect();
        if query.reverse {
            wanted.reverse();
        }
        let after = since.filter(|_| !query.reverse).unwrap_or(0);
        let lost = |cell| self.buckets.get(cell).is_some_and(|dropped| *dropped > after);
        let whole = wanted.len() <= query.limit;
        let complete = whole && self.elsewhere <= after && !near.iter().any(lost);
        wanted.truncate(query.limit);
        (wanted, query.audience.as_ref().map(|_| complete))
    }
}

/// The buckets that the area of a spot touches.
fn near(of: usize) -> Vec<Option<CellIndex>> {
    let (lat, lng) = SPOTS[of];
    let here = point(lat, lng);
    let all = SPOTS.iter().filter(|(lat, lng)| here.distance(&point(*lat, *lng)).0 < 50_000.0);
    all.map(|(lat, lng)| cell(&at(*lat, *lng), &Form::Point)).chain([None]).collect()
}

fn run(step: Step, stream: &mut Stream, model: &mut Model, now: &mut u64) {
    let moment = Moment(*now);
    match step {
        Step::Append { spot, form, size, ttl, bytes_max } => {
            let nanos = Duration::from_nanos(ttl);
            let keep = Keep { size, buckets: Some(bytes_max), ttl: nanos };
            let one = publication(spot, &form);
            let cell = cell(&one, &form);
            let publication = stream.append(one, keep, moment);
            model.ttl = ttl;
            model.buckets.entry(cell).or_default();
            model.items.push(Item { publication, taken: *now, cell, is_kept: true });
            model.trim(size);
            while model.bytes() > bytes_max {
                model.shed();
            }
            assert_eq!(stream.bytes(), model.bytes());
        }
        Step::Expire { max } => assert!(stream.drop_expired(moment, max) <= max),
        Step::Clear => {
            stream.clear();
            model.trim(0);
        }
        Step::Shed => {
            stream.drop_expired(moment, usize::MAX);
            stream.shed();
            model.shed();
        }
        Step::Pass(time) => *now += time,
        Step::Read { limit, since, reverse, of } => {
            let since = since.map(|offset| Since { offset, epoch: "e".into() });
            let who = of.map(|of| audience(SPOTS[of].0, SPOTS[of].1, 3000.0));
            let near = of.map(near).unwrap_or_default();
            let query = HistoryQuery { limit, since, reverse, audience: who };
            let HistoryPage { publications, top, complete } = stream.read(&query, moment);
            let offsets = publications.iter().map(|one| one.offset).collect();
            assert_eq!((offsets, complete), model.page(&query, &near), "{query:?}");
            assert_eq!(top.offset, u64::try_from(model.items.len()).unwrap());
        }
    }
    model.sweep(*now);
    assert!(stream.oldest().is_some() == (stream.len() > 0));
    assert_eq!(stream.age().is_some(), stream.bytes() > 0);
}

/// Places where cells are odd: corners of the icosahedron, poles, the antimeridian.
fn anywhere() -> impl Strategy<Value = Point> {
    let pentagons: Vec<CellIndex> = Resolution::Five.pentagons().collect();
    let corner = prop::sample::select(pentagons).prop_map(|cell| {
        let at = h3o::LatLng::from(cell);
        (at.lat(), at.lng())
    });
    let middle = prop_oneof![corner, Just((90.0, 0.0)), Just((-90.0, 0.0)), Just((3.0, 180.0))];
    (middle, -0.5..0.5_f64, -0.5..0.5_f64).prop_map(|((lat, lng), up, aside)| {
        let lng = lng + aside;
        let lng = if lng > 180.0 { lng - 360.0 } else { lng.max(-180.0) };
        point((lat + up).clamp(-90.0, 90.0), lng)
    })
}

/// Around a place: a circle or a square, some kilometres wide.
fn area(around: Point, size: f64, is_circle: bool) -> Area {
    let (lat, lng) = (around.at.lat(), around.at.lng());
    if is_circle || lat.abs() > 89.0 || lng.abs() > 179.0 {
        return Area::Circle(Circle::new(around, Metres(size * 100_000.0)));
    }
    let corner = |lng: f64, lat: f64| Vertex { lng, lat };
    Area::bbox(corner(lng - size, lat - size), corner(lng + size, lat + size)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn keeps_and_tells_what_a_plain_list_would(steps in prop::collection::vec(step(), 0..120)) {
        let mut stream = Stream::new("e".into(), Duration::from_nanos(1));
        // A stream starts without places; one publication makes it one of buckets.
        let mut model = Model { ttl: 1, ..Model::default() };
        let first = Step::Append { spot: 0, form: Form::Point, size: 3, ttl: 30, bytes_max: 1 << 30 };
        let mut now = 1;
        for step in std::iter::once(first).chain(steps) {
            run(step, &mut stream, &mut model, &mut now);
        }
    }

    /// Whoever is told that nothing is missing is told exactly what it would have got, and whoever
    /// is told that something is had something gone nearby.
    #[test]
    fn nobody_misses_what_it_is_not_told_of(
        places in prop::collection::vec((anywhere(), prop::option::weighted(0.2, 0.0..0.15_f64)), 1..80),
        size in 1_usize..6, since in 0_u64..80, who in 0_usize..80, reach in 0.001..0.3_f64,
        is_circle in any::<bool>(),
    ) {
        let mut stream = stream();
        let all: Vec<_> = places
            .iter()
            .map(|(at, shape)| {
                let shape = shape.map(|size| Arc::new(area(*at, size.max(0.001), is_circle)));
                let place = Some(Arc::new(Place { at: *at, shape }));
                stream.append(Publication { place, ..Publication::default() }, keep(size), Moment(1))
            })
            .collect();
        let center = places[who % places.len()].0;
        let of = Arc::new(area(center, reach, is_circle));
        let who = Arc::new(Audience { area: of.clone(), ..Audience::default() });
        let missed = || all.iter().filter(|one| one.offset > since);
        let due: Vec<u64> = missed().filter(|one| who.gets(one, &mut Purse::default())).map(|one| one.offset).collect();
        match recovered(&stream, &who, since, 1000, Moment(1)) {
            Some(told) => prop_assert_eq!(told, due),
            None => {
                let kept = stream.read(&HistoryQuery { limit: 1000, since: None, reverse: false, audience: None }, Moment(1));
                let is_gone = |one: &&Arc<Publication>| !kept.publications.contains(one);
                let near = |one: &Arc<Publication>| {
                    let place = one.place.as_ref().unwrap();
                    let around = Circle::new(place.at, Metres(65_000.0));
                    extent(place).unwrap() > NARROW || of.meets(&Area::Circle(around))
                };
                let top = u64::try_from(all.len()).unwrap();
                prop_assert!(since > top || missed().filter(is_gone).any(near), "nothing near is gone");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// Among so many buckets, those of a small area are found by its cells.
    #[test]
    fn a_small_area_is_told_all_that_it_has_among_many_buckets(
        places in prop::collection::vec((anywhere(), prop::option::of(0.001..0.15_f64)), 40..120),
        areas in prop::collection::vec((0..120_usize, -0.2..0.2_f64, 0.0..0.3_f64, any::<bool>()), 60),
    ) {
        let mut stream = stream();
        for number in 0..1600_u32 {
            let (row, column) = (f64::from(number / 40), f64::from(number % 40));
            stream.append(at(row * 0.5 + 20.0, column * 0.5 + 60.0), keep(9), Moment(1));
        }
        let filled = stream.position().offset;
        let all: Vec<_> = places
            .iter()
            .map(|(at, size)| {
                let shape = size.map(|size| Arc::new(area(*at, size, true)));
                let place = Some(Arc::new(Place { at: *at, shape }));
                stream.append(Publication { place, ..Publication::default() }, keep(200), Moment(1))
            })
            .collect();
        for (near, aside, size, is_circle) in areas {
            let beside = places[near % places.len()].0.at;
            let center = point((beside.lat() + aside).clamp(-90.0, 90.0), beside.lng());
            let of = Arc::new(area(center, size + 0.0001, is_circle));
            let who = Arc::new(Audience { area: of, ..Audience::default() });
            let due: Vec<u64> = all.iter().filter(|one| who.gets(one, &mut Purse::default())).map(|one| one.offset).collect();
            prop_assert_eq!(recovered(&stream, &who, filled, 1000, Moment(1)), Some(due));
        }
    }
}
