//! Anything that can happen, and a model that scans all objects: what a client makes of snapshot
//! and deltas is what is there, after every step, and each delta says what it should.

use proptest::prelude::*;

use super::acts::{Act, Look, Spot, act};
use super::*;
use crate::geo::{FARTHEST, Transition, UnitVector, Vertex};

pub(super) const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
pub(super) const KINDS: [&str; 2] = ["taxi", "bus"];
const TTL: u64 = 5000;
/// Objects that an area may have as it begins.
const MOST: usize = 4;
/// Places where geometry is hardest: poles, the antimeridian, pentagons, and one where it is not.
pub(super) const MIDDLES: [(f64, f64); 7] = [
    (52.0, 13.0),
    (90.0, 0.0),
    (-90.0, 33.0),
    (0.0, 180.0),
    (-48.0, -180.0),
    (64.7000001, 10.5361991),
    (50.1032014, -143.4784901),
];

/// An object as the model has it.
#[derive(Clone, Debug)]
struct Known {
    point: Point,
    kind: usize,
    time: u64,
    heard: u64,
    owner: Option<u64>,
}

/// A subscription as the model has it, and what its client holds.
#[derive(Debug)]
struct Client {
    pile: Pile,
    look: Look,
    filter: Option<usize>,
    within: Option<Area>,
    /// Only what enters and leaves is told.
    detects: bool,
    /// There were more objects than a fence remembers, so that some may not have entered.
    forgets: bool,
    /// The subscription has ended: the area came to have too many objects.
    ended: Option<Refusal>,
    position: Option<Point>,
    holds: BTreeMap<String, Point>,
}

struct Model {
    middle: Point,
    town: Town,
    objects: BTreeMap<&'static str, Known>,
    zones: BTreeMap<&'static str, Area>,
    clients: BTreeMap<u64, Client>,
    tokens: u32,
}

/// About so many metres from a place, as long as they are few.
pub(super) fn displaced(middle: Point, east: f64, north: f64) -> Point {
    let up = middle.unit;
    let (lat, lng) = (middle.at.lat().to_radians(), middle.at.lng().to_radians());
    let to_east = UnitVector { x: -lng.sin(), y: lng.cos(), z: 0.0 };
    let to_north =
        UnitVector { x: -lat.sin() * lng.cos(), y: -lat.sin() * lng.sin(), z: lat.cos() };
    let along = |up: f64, to_east: f64, to_north: f64| {
        up + (to_east * east + to_north * north) * std::f64::consts::PI / FARTHEST.0
    };
    let (x, y, z) = (
        along(up.x, to_east.x, to_north.x),
        along(up.y, to_east.y, to_north.y),
        along(up.z, to_east.z, to_north.z),
    );
    UnitVector { x, y, z }.to_lat_lng().into()
}

impl Model {
    fn new(middle: usize, looks: usize) -> Self {
        let (object_ttl, hide) = (Duration::from_millis(TTL), vec!["home".into()]);
        let (lat, lng) = MIDDLES[middle];
        let mut town = Town::new(GeoOptions { object_ttl, hide, objects_max: MOST, ..options() });
        town.lane.allow(looks);
        Self {
            middle: point(lat, lng),
            town,
            objects: BTreeMap::new(),
            zones: BTreeMap::new(),
            clients: BTreeMap::new(),
            tokens: 0,
        }
    }

    fn now(&self) -> u64 {
        self.town.now.unix.0
    }

    fn point(&self, Spot(east, north): Spot) -> Point {
        displaced(self.middle, east, north)
    }

    fn source(&self, look: &Look) -> AreaSource {
        let fixed = |area| AreaSource::Fixed(Arc::new(area));
        match look {
            Look::Circle(spot, radius) => fixed(around(Some(self.point(*spot)), Metres(*radius))),
            Look::Box(spot) => {
                let at = self.point(*spot).at;
                let vertex = |by: f64| Vertex {
                    lng: (at.lng() + by).clamp(-180.0, 180.0),
                    lat: (at.lat() + by).clamp(-90.0, 90.0),
                };
                fixed(Area::bbox(vertex(-0.005), vertex(0.005)).unwrap())
            }
            Look::Zone => AreaSource::Zone("view".into()),
            Look::Me(radius) => AreaSource::FollowMe { radius: Metres(*radius) },
            Look::Object(key, radius) => {
                AreaSource::FollowObject { object: object(KEYS[*key]), radius: Metres(*radius) }
            }
            Look::Nearest(count, spot, within) => AreaSource::Nearest {
                count: *count,
                to: self.point(*spot),
                within: within.map(Metres),
            },
        }
    }

    fn is_hidden(&self, known: &Known) -> bool {
        self.zones.get("home").is_some_and(|home| home.contains(&known.point))
    }

    fn visible(&self, key: &str) -> Option<&Known> {
        self.objects.get(key).filter(|known| !self.is_hidden(known))
    }

    fn area(&self, client: &Client) -> Area {
        match self.source(&client.look) {
            AreaSource::Fixed(area) => Area::clone(&area),
            AreaSource::Zone(name) => self.zones.get(&*name).cloned().unwrap_or_default(),
            AreaSource::FollowMe { radius } => around(client.position, radius),
            AreaSource::FollowObject { object, radius } => {
                let at = self.visible(&object.key).map(|known| known.point);
                // Out of bounds it is as if it were not there.
                let within = client.within.as_ref();
                let is_in = |at: &Point| within.is_none_or(|within| within.contains(at));
                around(at.filter(is_in), radius)
            }
            AreaSource::Nearest { to, within, .. } => around(Some(to), within.unwrap_or(FARTHEST)),
            other => panic!("not of objects: {other:?}"),
        }
    }

    /// Objects that a client sees if they are among the nearest.
    fn candidates(&self, client: &Client) -> BTreeMap<String, Point> {
        let area = self.area(client);
        let followed = match client.look {
            Look::Object(key, _) => KEYS[key],
            _ => "",
        };
        let sees = |key: &str, known: &Known| {
            key != followed
                && area.contains(&known.point)
                && client.within.as_ref().is_none_or(|within| within.contains(&known.point))
                && client.filter.is_none_or(|kind| kind == known.kind)
        };
        let all = self.objects.iter().filter(|(_, known)| !self.is_hidden(known));
        let seen = all.filter(|(key, known)| sees(key, known));
        seen.map(|(key, known)| ((*key).to_owned(), known.point)).collect()
    }

    fn check(&self, client: &Client) {
        let candidates = self.candidates(client);
        if client.detects {
            let held: Vec<&String> = client.holds.keys().collect();
            let there: Vec<&String> = candidates.keys().collect();
            if client.forgets {
                assert!(held.len() <= MOST && held.iter().all(|key| there.contains(key)));
            } else {
                assert_eq!(held, there, "who is there has entered: {client:?}");
            }
            return;
        }
        let Look::Nearest(count, spot, _) = client.look else {
            assert_eq!(client.holds, candidates, "what is there is what is held: {client:?}");
            return;
        };
        let to = self.point(spot);
        let slot = |key: &str| self.town.lane.objects(&channel())?.table.find(key);
        let mut nearest: Vec<(&String, &Point)> = candidates.iter().collect();
        nearest.sort_by(|(one, at), (other, other_at)| {
            let chord = |at: &Point| to.unit.chord_squared(at.unit);
            chord(at).total_cmp(&chord(other_at)).then(slot(one).cmp(&slot(other)))
        });
        let nearest = nearest.into_iter().take(count);
        let nearest: BTreeMap<String, Point> =
            nearest.map(|(key, at)| (key.clone(), *at)).collect();
        assert_eq!(client.holds, nearest, "the same for all: {client:?}");
    }

    /// Lets the lane do what it put off.
    fn settle(&mut self) {
        let puts_off = |model: &Self| {
            let room = model.town.lane.objects(&channel());
            room.is_some_and(|room| room.chores.next_deadline().is_some())
        };
        while puts_off(self) {
            self.pass(1);
        }
        let ended: Vec<u64> =
            self.clients.iter().filter(|(_, one)| one.ended.is_some()).map(|one| *one.0).collect();
        for session in ended {
            let client = self.clients.remove(&session).unwrap();
            self.follow(session, Some(&client.look), None);
        }
        for session in self.clients.keys().copied().collect::<Vec<_>>() {
            let is_full = self.candidates(&self.clients[&session]).len() > MOST;
            self.clients.get_mut(&session).unwrap().forgets |= is_full;
        }
    }
}

impl Client {
    /// Applies what came, as a client does: an object enters before it moves or leaves. Returns
    /// what happened, in short.
    fn read(&mut self) -> Vec<(String, Happening, Reason)> {
        let mut told = Vec::new();
        for mail in self.pile.take() {
            match mail {
                Mail::Object { happening, reason, change, .. } => {
                    let (key, at) = (change.object.fix.key.to_string(), change.object.fix.point);
                    let before = match happening {
                        Happening::Exit => self.holds.remove(&key),
                        _ => self.holds.insert(key.clone(), at),
                    };
                    assert_eq!(before.is_none(), happening == Happening::Enter, "{key}");
                    told.push((key, happening, reason));
                }
                Mail::Joined { at: Start::Objects(objects), .. } => {
                    assert!(self.holds.is_empty(), "a snapshot comes first");
                    let held = |object: &Object| (object.fix.key.to_string(), object.fix.point);
                    self.holds = objects.iter().map(|one| held(&one.object)).collect();
                    assert_eq!(self.holds.len(), objects.len(), "each comes once");
                }
                Mail::Refused { refusal, .. } => {
                    let goes = matches!(self.look, Look::Me(_) | Look::Object(..) | Look::Zone);
                    assert!(goes, "an area that stays is not refused");
                    self.ended = Some(*refusal);
                }
                other => panic!("{other:?}"),
            }
        }
        told
    }
}

/// What one step of one object is told as, for a view of an area.
fn expected(
    was: (bool, bool),
    is: (bool, bool),
    created: bool,
    gone: Option<Reason>,
) -> Option<(Happening, Reason)> {
    let in_sight = |(placed, wanted): (bool, bool)| placed && wanted;
    match (in_sight(was), in_sight(is)) {
        (true, true) => Some((Happening::Move, Reason::Moved)),
        (true, false) if is.0 => Some((Happening::Exit, Reason::Filter)),
        (true, false) => Some((Happening::Exit, gone.unwrap_or(Reason::Moved))),
        (false, true) if created => Some((Happening::Enter, Reason::Created)),
        (false, true) if was.0 => Some((Happening::Enter, Reason::Filter)),
        (false, true) => Some((Happening::Enter, Reason::Moved)),
        (false, false) => None,
    }
}

impl Model {
    /// Whether an object is where a client looks, and whether the filter lets it through.
    fn stands(&self, client: &Client, key: &str) -> (bool, bool) {
        let Some(known) = self.visible(key) else { return (false, false) };
        let within = client.within.as_ref().is_none_or(|within| within.contains(&known.point));
        (
            within && self.area(client).contains(&known.point),
            client.filter.is_none_or(|kind| kind == known.kind),
        )
    }

    /// Lets one object do something, and checks what views of fixed areas are told of it.
    fn step(&mut self, key: &'static str, reason: Option<Reason>, step: impl FnOnce(&mut Self)) {
        let is_plain =
            |client: &Client| matches!(client.look, Look::Circle(..) | Look::Box(_) | Look::Zone);
        let plain = self.clients.iter().filter(|(_, client)| is_plain(client));
        let before: Vec<(u64, (bool, bool))> =
            plain.map(|(session, client)| (*session, self.stands(client, key))).collect();
        let is_known = self.objects.contains_key(key);
        step(self);
        for (session, was) in before {
            let client = &self.clients[&session];
            let is = self.stands(client, key);
            let told = expected(was, is, !is_known, reason);
            let told = told.filter(|(told, _)| !client.detects || *told != Happening::Move);
            let is_full = client.detects && self.candidates(client).len() > MOST;
            if client.forgets || is_full {
                self.clients.get_mut(&session).unwrap().read();
                continue;
            }
            let told: Vec<_> = told
                .map(|(happening, reason)| (key.to_owned(), happening, reason))
                .into_iter()
                .collect();
            let client = self.clients.get_mut(&session).unwrap();
            assert_eq!(client.read(), told, "{client:?}");
        }
        for client in self.clients.values_mut() {
            client.read();
        }
    }

    fn fix(&mut self, key: usize, at: Point, kind: usize, late: u64, owner: Option<u64>) {
        let (key, now) = (KEYS[key], self.now());
        // The newest tell no time, so that two may come in one millisecond.
        let time = (late > 0).then_some(now - late);
        let known = self.objects.get(key);
        let is_old = time.is_some_and(|time| known.is_some_and(|known| time <= known.time));
        let tags = [("kind".to_owned(), KINDS[kind].to_owned())].into();
        let told = Fix {
            time: time.map(UnixMillis),
            tags,
            owner: owner.map(|owner| SessionId(100 + owner)),
            ..Fix::bare(key, at)
        };
        if is_old {
            self.town.fix(told);
            for client in self.clients.values_mut() {
                assert_eq!(client.read(), []);
            }
            return;
        }
        self.step(key, None, |model| {
            model.town.fix(told);
            let before = model.objects.get(key);
            let time = time.unwrap_or(before.map_or(now, |before| before.time.max(now)));
            let owner = owner.or(before.and_then(|before| before.owner));
            model.objects.insert(key, Known { point: at, kind, time, heard: now, owner });
        });
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now() + millis;
        loop {
            let due = |known: &Known| known.heard + TTL;
            let next = self.objects.iter().min_by_key(|(_, known)| due(known));
            let Some((key, at)) = next.map(|(key, known)| (*key, due(known))) else { break };
            if at > end {
                break;
            }
            let together: Vec<_> =
                self.objects.iter().filter(|(_, known)| due(known) == at).collect();
            if together.len() == 1 {
                self.step(key, Some(Reason::Expired), |model| {
                    model.town.pass(Duration::from_millis(at - model.now()));
                    model.objects.remove(key);
                });
            } else {
                self.town.pass(Duration::from_millis(at - self.now()));
                self.objects.retain(|_, known| due(known) != at);
                self.read(Some(Reason::Expired));
            }
        }
        self.town.pass(Duration::from_millis(end - self.now()));
        self.read(None);
    }

    /// Reads what came of something that several objects did, or none.
    fn read(&mut self, exits: Option<Reason>) {
        for client in self.clients.values_mut() {
            for (_, happening, reason) in client.read() {
                let is_exit = happening == Happening::Exit && Some(reason) == exits;
                assert!(is_exit || reason == Reason::AreaChanged, "{reason:?}");
            }
        }
    }

    fn join(
        &mut self,
        session: u64,
        look: Look,
        filter: Option<usize>,
        (within, detects): (bool, bool),
    ) {
        if self.clients.contains_key(&session) {
            return;
        }
        let within = within.then(|| around(Some(self.middle), Metres(700.0)));
        let view = View {
            filter: filter.map(|kind| tag_filter(KINDS[kind])),
            within: within.clone().map(Arc::new),
            detect: detects.then(|| [Transition::Enter, Transition::Exit].into_iter().collect()),
            hysteresis: Some(Metres(0.0)),
            ..self.town.view(self.source(&look))
        };
        let pile = self.town.join(session, view);
        let (position, holds) = (None, BTreeMap::new());
        let follows = look.clone();
        let (forgets, ended) = (false, None);
        let mut client =
            Client { pile, look, filter, within, detects, forgets, ended, position, holds };
        let is_in = self.candidates(&client).len();
        let refused =
            client.pile.0.borrow().iter().any(|mail| matches!(mail, Mail::Refused { .. }));
        let should = match client.look {
            Look::Zone if !self.zones.contains_key("view") => true,
            Look::Object(..) => false,
            Look::Nearest(..) if !detects => false,
            _ => is_in > MOST,
        };
        assert_eq!(refused, should, "{client:?}");
        if !refused {
            client.read();
            self.clients.insert(session, client);
            self.follow(session, None, Some(&follows));
        }
    }

    /// Follows an object as a session does.
    fn follow(&mut self, session: u64, before: Option<&Look>, after: Option<&Look>) {
        if let Some(Look::Object(key, _)) = before {
            let (key, by) = (KEYS[*key].into(), subscriber(session));
            self.town.act(ObjectAct::Unfollow { key, by });
        }
        if let Some(Look::Object(key, _)) = after {
            self.town.follow(session, KEYS[*key]);
        }
        self.read(None);
    }

    fn move_area(&mut self, session: u64, look: Look) {
        let Some(client) = self.clients.get(&session) else { return };
        let is_nearest = |look: &Look| matches!(look, Look::Nearest(..));
        if is_nearest(&client.look) != is_nearest(&look) {
            return;
        }
        self.tokens += 1;
        let (area, token) = (self.source(&look), self.tokens);
        let pile = client.pile.clone();
        let object = area.followed().and_then(|object| self.town.lane.place_of(object));
        let centers = Centers { session: client.position, object };
        self.town.change(session, AreaChange::Moved { area, centers: centers.into(), token });
        let mut mails = pile.take();
        let others = mails.split_off(1);
        assert!(client.detects || others.is_empty(), "a move is answered by nothing else");
        let Some(Mail::Moved { token: answered, moved, .. }) = mails.pop() else {
            panic!("a move is answered");
        };
        assert_eq!(answered, token);
        let client = self.clients.get_mut(&session).unwrap();
        match *moved {
            Ok(moved) => {
                for gone in &moved.removed {
                    assert!(client.holds.remove(&*gone.fix.key).is_some(), "it was there");
                }
                for one in &moved.added {
                    let (key, at) = (one.object.fix.key.to_string(), one.object.fix.point);
                    assert!(client.holds.insert(key, at).is_none(), "it was not there");
                }
                client.forgets = false;
                let before = std::mem::replace(&mut client.look, look.clone());
                pile.0.borrow_mut().extend(others);
                self.follow(session, Some(&before), Some(&look));
            }
            Err(Refusal::TooManyObjects { count, most: MOST }) => {
                let before = std::mem::replace(&mut client.look, look);
                let client = &self.clients[&session];
                assert_eq!(self.candidates(client).len(), count);
                assert!(count > MOST);
                self.clients.get_mut(&session).unwrap().look = before;
            }
            Err(Refusal::UnknownZone(_)) => assert!(!self.zones.contains_key("view")),
            Err(other) => panic!("{other}"),
        }
    }

    fn run(&mut self, act: Act) {
        match act {
            Act::Fix { key, spot, kind, late, owner } => {
                self.fix(key, self.point(spot), kind, late, owner);
            }
            Act::Remove { key } => self.step(KEYS[key], Some(Reason::Deleted), |model| {
                model.town.remove(KEYS[key]);
                model.objects.remove(KEYS[key]);
            }),
            Act::Pass { millis } => self.pass(millis),
            Act::Offline { owner } => {
                self.town.act(ObjectAct::Offline(SessionId(100 + owner)));
                self.objects.retain(|_, known| known.owner != Some(owner));
                self.read(Some(Reason::Offline));
            }
            Act::Join { session, look, filter, within, detects } => {
                self.join(session, look, filter, (within, detects));
            }
            Act::Leave { session } => {
                if let Some(client) = self.clients.remove(&session) {
                    self.town.leave(session);
                    self.follow(session, Some(&client.look), None);
                }
            }
            Act::Move { session, look } => self.move_area(session, look),
            Act::Locate { session, spot } => {
                let at = self.point(spot);
                if let Some(client) = self.clients.get_mut(&session) {
                    client.position = Some(at);
                    self.town.change(session, AreaChange::Located(at));
                    self.read(None);
                    let client = &self.clients[&session];
                    let is_full = self.candidates(client).len() > MOST;
                    assert!(client.ended.is_none() || is_full, "{client:?}");
                }
            }
            Act::Zone { name, radius, spot } => {
                let at = self.point(spot);
                let area = radius.map(|radius| around(Some(at), Metres(radius)));
                match area.clone() {
                    Some(area) => drop(self.zones.insert(name, area)),
                    None => drop(self.zones.remove(name)),
                }
                self.town.set_zone(name, area);
                self.read(None);
            }
        }
        self.settle();
        assert_eq!(self.town.lane.counts().objects, self.objects.len());
        if let Some(room) = self.town.lane.objects(&channel()) {
            room.table.check();
        }
        assert_eq!(self.town.lane.counts().subscriptions, self.clients.len());
        for client in self.clients.values() {
            self.check(client);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_a_client_holds_is_what_is_there(
        middle in 0..MIDDLES.len(),
        looks in prop_oneof![Just(1_usize), Just(1_000_000)],
        acts in prop::collection::vec(act(), 1..60),
    ) {
        let mut model = Model::new(middle, looks);
        for act in acts {
            model.run(act);
        }
    }
}
