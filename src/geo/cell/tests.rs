use std::collections::HashMap;

use super::*;
use crate::geo::numbers::{Numbers, long_runs, point};

fn keys_are_those_of_h3(resolution: Resolution, places: usize) {
    let grid = HexGrid::at(resolution);
    let mut hint = FaceHint::default();
    let mut numbers = Numbers(u64::from(u8::from(resolution)));
    let mut names: HashMap<CellKey, CellIndex> = HashMap::new();
    let mut by_step = 0;
    for _ in 0..places {
        let place = numbers.hard_place();
        let (key, name) = (grid.key(&place, &mut hint), grid.name(place.at));
        assert_eq!(key, grid.key_of(name), "{place:?} is in {name}");
        assert_eq!(*names.entry(key).or_insert(name), name, "{place:?}");
        let center = grid.center(key);
        assert!(center.distance(named_center(name)).0 < 1e-3, "{place:?}");
        let away = center.distance(place.unit);
        assert!(away <= grid.reach(), "{place:?} is {away:?} from the centre of {name}");
        by_step += usize::from(Step::of(key).is_some());
    }
    assert!(by_step * 10 > places, "{by_step} of {places} keys were cheap");
}

#[test]
fn places_have_the_same_key_exactly_if_h3_puts_them_in_the_same_cell() {
    for resolution in [Resolution::Three, Resolution::Seven, Resolution::Eight, Resolution::Nine] {
        keys_are_those_of_h3(resolution, 10_000 * long_runs(100));
    }
}

#[test]
fn a_cover_has_every_cell_that_a_circle_touches_once_and_inner_ones_lie_inside() {
    let mut numbers = Numbers(7);
    for resolution in [Resolution::One, Resolution::Three, Resolution::Five, Resolution::Seven] {
        let grid = HexGrid::at(resolution);
        let mut hint = FaceHint::default();
        for _ in 0..300 {
            let center = numbers.hard_place();
            let radius = Metres(grid.reach().0 * 3.25 * numbers.share());
            let circle = Circle::new(center, radius);
            let mut cells = Vec::new();
            assert!(grid.cover(&circle, 1000, &mut cells));
            let inner: HashMap<CellKey, bool> =
                cells.iter().map(|cell| (cell.key, cell.inner)).collect();
            assert_eq!(inner.len(), cells.len(), "a cell twice: {circle:?}");
            for cell in &cells {
                assert_eq!(cell.center, grid.center(cell.key));
            }
            for _ in 0..50 {
                let place = numbers.near(center.unit, Metres(1.1 * radius.0));
                let inside = circle.contains(place.unit);
                match inner.get(&grid.key(&place, &mut hint)) {
                    Some(true) => assert!(inside, "{place:?} is in an inner cell of {circle:?}"),
                    Some(false) => {}
                    None => assert!(!inside, "{place:?} is in {circle:?} but in no cell"),
                }
            }
        }
    }
}

#[test]
fn a_cover_stops_at_its_bound() {
    let grid = HexGrid::at(Resolution::Seven);
    let circle = Circle::new(point(10.0, 10.0), Metres(100_000.0));
    assert!(!grid.cover(&circle, 100, &mut Vec::new()));
}
