//! What it costs to find the areas around a place, beside what nothing could do without (the
//! floor) and beside a tree of boxes. Every figure is of one core; memory is of the index alone,
//! without the areas that its owner shares with it. `cargo bench --bench geo`.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads the clock, prints, and makes numbers of its own"
)]

mod rooms;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use geo::{Contains, LineString, Polygon};
use nearcast::internals::{Areas, Cells, Points, Ring, Shape, Spot};
use rstar::{AABB, PointDistance, RTree, RTreeObject};

// === Set-up ===

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "memory is counted where it is given out")]
// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Numbers(u64);

impl Numbers {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bits = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from_bits((bits ^ bits >> 31) >> 12 | 1.0_f64.to_bits()) - 1.0
    }
}

/// A square around a place in Europe, in kilometres.
struct Square(f64);

impl Square {
    fn spot(&self, numbers: &mut Numbers, inset: f64) -> Spot {
        let side = self.0 - 2.0 * inset;
        let (north, east) = ((numbers.share() - 0.5) * side, (numbers.share() - 0.5) * side);
        let lat = 49.0 + north / DEGREE;
        Spot::new(lat, 7.0 + east / DEGREE / lat.to_radians().cos())
    }

    fn spots(&self, count: usize, inset: f64) -> Vec<Spot> {
        let mut numbers = Numbers(99);
        (0..count).map(|_| self.spot(&mut numbers, inset)).collect()
    }
}

/// So many circles of 100 m to 5 km that a place is in 247 of them.
fn circles(count: u32) -> (Square, Vec<(Spot, f64)>) {
    let square = Square((f64::from(count) * 0.1071).sqrt());
    let mut numbers = Numbers(1);
    let circle = |_| (square.spot(&mut numbers, 0.0), 100.0 + 4900.0 * numbers.share());
    let circles = (0..count).map(circle).collect();
    (square, circles)
}

fn index_of(shapes: &[Shape]) -> Areas {
    let before = HELD.load(Ordering::Relaxed);
    let mut areas = Areas::default();
    let started = std::time::Instant::now();
    for (id, shape) in (0..).zip(shapes) {
        areas.insert(id, shape);
    }
    let each = started.elapsed().as_nanos() / shapes.len() as u128;
    areas.matches(&Spot::new(0.0, 0.0), &mut Vec::new());
    let bytes = HELD.load(Ordering::Relaxed) - before;
    println!("{} areas: {each} ns to add one, {} B each", shapes.len(), bytes / shapes.len());
    areas
}

/// One after the other, without end; what is found on the way is counted.
fn ask(bench: &mut criterion::Bencher<'_>, spots: &[Spot], mut ask: impl FnMut(&Spot) -> usize) {
    let (mut at, mut found, mut asked) = (0, 0, 0);
    bench.iter(|| {
        at = (at + 1) % spots.len();
        asked += 1;
        found += black_box(ask(&spots[at]));
    });
    if asked > 100_000 {
        println!("{:.1} found", found as f64 / asked as f64);
    }
}

// === Benches ===

fn floor(c: &mut Criterion) {
    let spots = Square(300.0).spots(100_000, 0.0);
    let mut group = c.benchmark_group("floor");
    group.bench_function("cell of a place, h3o", |b| {
        ask(b, &spots, |spot| {
            let [lng, lat] = spot.lng_lat();
            let cell = h3o::LatLng::new(lat, lng).expect("finite").to_cell(h3o::Resolution::Seven);
            usize::from(u64::from(black_box(cell)) == 0)
        })
    });
    let mut cells = Cells::default();
    group.bench_function("cell of a place, key", |b| {
        ask(b, &spots, |spot| {
            black_box(cells.key(spot));
            0
        })
    });
    group.bench_function("unit vector", |b| {
        ask(b, &spots, |spot| {
            let [lng, lat] = spot.lng_lat();
            usize::from(black_box(Spot::unit(lat, lng))[0] > 2.0)
        })
    });
    let ring = Ring::new(&spots[0], 100_000.0);
    group.bench_function("one exact circle", |b| {
        ask(b, &spots, |spot| usize::from(ring.contains(spot)))
    });
    let mut numbers = Numbers(3);
    let cycle: Vec<u32> = (0..1 << 26).map(|_| (numbers.share() * 67_108_863.0) as u32).collect();
    let mut next = 0_usize;
    group.bench_function("one read that misses every cache", |b| {
        b.iter(|| {
            next = (next * 5 + 12_345_677) & ((1 << 26) - 1);
            black_box(cycle[next])
        })
    });
    group.finish();
}

fn static_circles(c: &mut Criterion) {
    let mut group = c.benchmark_group("circles");
    for (name, count) in [("10k", 10_000), ("100k", 100_000), ("1M", 1_000_000)] {
        let (square, circles) = circles(count);
        let shapes: Vec<Shape> =
            circles.iter().map(|(center, radius)| Shape::circle(center, *radius)).collect();
        let mut areas = index_of(&shapes);
        let spots = square.spots(100_000, 5.0);
        let mut found = Vec::new();
        group.bench_function(name, |b| {
            ask(b, &spots, |spot| {
                found.clear();
                areas.matches(spot, &mut found);
                found.len()
            })
        });
        if count < 1_000_000 {
            continue;
        }
        let mut numbers = Numbers(5);
        group.bench_function("1M, one is replaced by another", |b| {
            b.iter(|| {
                let (at, from) = (numbers.share() * 1e6, numbers.share() * 1e6);
                areas.insert(at as u32, &shapes[from as usize]);
            })
        });
        group.bench_function("1M, one moves by 5 m", |b| {
            let mut id = 0;
            b.iter(|| {
                id = (id + 7919) % 1_000_000;
                let (center, radius) = &circles[id];
                let [lng, lat] = center.lng_lat();
                let moved = Spot::new(lat + (numbers.share() - 0.5) * 1e-4, lng);
                areas.insert(id as u32, &Shape::circle(&moved, *radius));
            })
        });
    }
    group.finish();
}

/// Everybody in a stadium, with a circle that moves along.
fn crowd(c: &mut Criterion) {
    let mut numbers = Numbers(6);
    let square = Square(0.3);
    let shapes: Vec<Shape> =
        (0..100_000).map(|_| Shape::circle(&square.spot(&mut numbers, 0.0), 1000.0)).collect();
    let mut areas = index_of(&shapes);
    let mut group = c.benchmark_group("100k circles of 1 km in 300 m");
    group.bench_function("one moves", |b| {
        b.iter(|| {
            let id = (numbers.share() * 1e5) as u32;
            areas.insert(id, &Shape::circle(&square.spot(&mut numbers, 0.0), 1000.0));
        })
    });
    let spots = square.spots(1000, 0.0);
    let mut found = Vec::new();
    group.bench_function("all are found", |b| {
        ask(b, &spots, |spot| {
            found.clear();
            areas.matches(spot, &mut found);
            found.len()
        })
    });
    group.finish();
}

/// Rings of 20 to 100 corners round a place, 200 m to 2 km wide; a place is in about five.
fn rings(count: usize) -> Vec<Vec<[f64; 2]>> {
    let square = Square(300.0 * (count as f64 / 100_000.0).sqrt());
    let mut numbers = Numbers(7);
    let mut ring = || {
        let (center, size) = (square.spot(&mut numbers, 0.0), 0.1 + 0.9 * numbers.share());
        let [lng, lat] = center.lng_lat();
        let corners = 20 + (numbers.share() * 81.0) as u32;
        let mut corner = |number: u32| {
            let turn = f64::from(number) / f64::from(corners) * std::f64::consts::TAU;
            let far = size * (0.6 + 0.4 * numbers.share());
            let (north, east) = (far * turn.sin() / DEGREE, far * turn.cos() / DEGREE);
            [lng + east / lat.to_radians().cos(), lat + north]
        };
        (0..corners).map(&mut corner).collect()
    };
    (0..count).map(|_| ring()).collect()
}

fn polygons(c: &mut Criterion) {
    let mut group = c.benchmark_group("polygons");
    for (name, count) in [("10k", 10_000), ("100k", 100_000)] {
        let rings = rings(count);
        let shapes: Vec<Shape> = rings.iter().map(|ring| Shape::polygon(ring)).collect();
        let mut areas = index_of(&shapes);
        let square = Square(300.0 * (count as f64 / 100_000.0).sqrt());
        for (place, spots) in [
            ("a city asks", Square(20.0).spots(1_000_000, 0.0)),
            ("a country asks", square.spots(1_000_000, 0.0)),
        ] {
            let mut found = Vec::new();
            group.bench_function(format!("{name}, {place}"), |b| {
                ask(b, &spots, |spot| {
                    found.clear();
                    areas.matches(spot, &mut found);
                    found.len()
                })
            });
        }
    }
    group.finish();
}

/// The same by rstar and the crate geo.
fn polygons_by_tree(c: &mut Criterion) {
    let polygons: Vec<Polygon> = rings(100_000)
        .iter()
        .map(|ring| Polygon::new(LineString::from(ring.clone()), Vec::new()))
        .collect();
    let boxes = (0..).zip(&polygons).map(|(id, polygon)| {
        let corners: Vec<[f64; 2]> = polygon.exterior().coords().map(|at| [at.x, at.y]).collect();
        Boxed(id, AABB::from_points(&corners))
    });
    let tree = RTree::bulk_load(boxes.collect());
    let mut group = c.benchmark_group("polygons");
    for (place, side) in [("a city asks", 20.0), ("a country asks", 300.0)] {
        let spots = Square(side).spots(1_000_000, 0.0);
        let mut found = Vec::new();
        group.bench_function(format!("100k, rstar and geo, {place}"), |b| {
            ask(b, &spots, |spot| {
                found.clear();
                let at = spot.lng_lat();
                let around = tree.locate_in_envelope_intersecting(AABB::from_point(at));
                let point = geo::Point::from(at);
                let inside = around.filter(|one| polygons[one.0 as usize].contains(&point));
                found.extend(inside.map(|one| one.0));
                found.len()
            })
        });
    }
    group.finish();
}

/// Where objects are: 400 on a square kilometre.
fn crowd_of(count: u32) -> (Square, Vec<Spot>) {
    let square = Square((f64::from(count) / 400.0).sqrt());
    let spots = square.spots(count as usize, 0.0);
    (square, spots)
}

fn movers(c: &mut Criterion) {
    let mut group = c.benchmark_group("movers");
    for (name, count) in [("10k", 10_000), ("100k", 100_000), ("1M", 1_000_000)] {
        let (square, spots) = crowd_of(count);
        let before = HELD.load(Ordering::Relaxed);
        let mut points = Points::default();
        for (id, spot) in (0..).zip(&spots) {
            points.insert(id, spot);
        }
        let bytes = HELD.load(Ordering::Relaxed) - before;
        println!("{count} points: {} B each", bytes / count as usize);
        let mut numbers = Numbers(8);
        let steps: Vec<(u32, Spot)> = (0..100_000)
            .map(|_| {
                let id = (numbers.share() * f64::from(count)) as u32;
                let [lng, lat] = spots[id as usize].lng_lat();
                (id, Spot::new(lat + (numbers.share() - 0.5) * 2e-4, lng))
            })
            .collect();
        let mut at = 0;
        group.bench_function(format!("{name}, one moves by 10 m"), |b| {
            b.iter(|| {
                at = (at + 1) % steps.len();
                points.insert(steps[at].0, &steps[at].1);
            })
        });
        let asked = square.spots(100_000, 1.0);
        let circles: Vec<Shape> = asked.iter().map(|spot| Shape::circle(spot, 500.0)).collect();
        let (mut at, mut found) = (0, Vec::new());
        group.bench_function(format!("{name}, within 500 m"), |b| {
            b.iter(|| {
                at = (at + 1) % circles.len();
                found.clear();
                points.within(&circles[at], &mut found);
                black_box(found.len())
            })
        });
        for nearest in [5, 20] {
            group.bench_function(format!("{name}, the {nearest} nearest"), |b| {
                ask(b, &asked, |spot| points.nearest(spot, nearest))
            });
        }
    }
    group.finish();
}

struct Far(u32, [f64; 3]);

impl RTreeObject for Far {
    type Envelope = AABB<[f64; 3]>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_point(self.1)
    }
}

impl PointDistance for Far {
    fn distance_2(&self, point: &[f64; 3]) -> f64 {
        (0..3).map(|axis| (self.1[axis] - point[axis]).powi(2)).sum()
    }
}

/// The same by a tree of unit vectors.
fn movers_by_tree(c: &mut Criterion) {
    let (square, spots) = crowd_of(1_000_000);
    let unit = |spot: &Spot| {
        let [lng, lat] = spot.lng_lat();
        Spot::unit(lat, lng)
    };
    let tree = RTree::bulk_load((0..).zip(&spots).map(|(id, spot)| Far(id, unit(spot))).collect());
    let asked = square.spots(100_000, 1.0);
    let mut group = c.benchmark_group("movers");
    let reach = (500.0 / 6_371_008.8_f64).powi(2);
    group.bench_function("1M, rstar, within 500 m", |b| {
        ask(b, &asked, |spot| tree.locate_within_distance(unit(spot), reach).count())
    });
    for nearest in [5, 20] {
        group.bench_function(format!("1M, rstar, the {nearest} nearest"), |b| {
            ask(b, &asked, |spot| {
                let near = tree.nearest_neighbor_iter(unit(spot)).take(nearest);
                near.map(|far| usize::from(far.0 < u32::MAX)).sum()
            })
        });
    }
    group.finish();
}

struct Boxed(u32, AABB<[f64; 2]>);

impl RTreeObject for Boxed {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        self.1
    }
}

fn circles_by_tree(c: &mut Criterion) {
    let (square, circles) = circles(1_000_000);
    let rings: Vec<Ring> =
        circles.iter().map(|(center, radius)| Ring::new(center, *radius)).collect();
    let boxes = (0..).zip(&circles).map(|(id, (center, radius))| {
        let [lng, lat] = center.lng_lat();
        let north = radius / 1e3 / DEGREE * 1.001;
        let east = north / lat.to_radians().cos() * 1.001;
        Boxed(id, AABB::from_corners([lng - east, lat - north], [lng + east, lat + north]))
    });
    let tree = RTree::bulk_load(boxes.collect());
    let spots = square.spots(100_000, 5.0);
    let mut found = Vec::new();
    c.bench_function("circles/1M, rstar", |b| {
        ask(b, &spots, |spot| {
            found.clear();
            let around = tree.locate_in_envelope_intersecting(AABB::from_point(spot.lng_lat()));
            let inside = around.filter(|boxed| rings[boxed.0 as usize].contains(spot));
            found.extend(inside.map(|boxed| boxed.0));
            found.len()
        })
    });
}

/// Kilometres.
const DEGREE: f64 = 111.195;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .without_plots()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2));
    targets = floor, static_circles, circles_by_tree, crowd, polygons, polygons_by_tree, movers,
        movers_by_tree, rooms::stadium, rooms::city, rooms::refusals
}
criterion_main!(benches);
