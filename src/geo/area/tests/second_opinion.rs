//! Polygons to one another, as the crate `geo` relates them: on a grid so coarse that they share
//! corners and edges more often than not.

use ::geo::{Coord, LineString, Polygon, Relate};

use super::ring;
use crate::geo::area::Area;
use crate::geo::numbers::{Numbers, long_runs};

/// Pairs that both take for polygons.
const PAIRS: u32 = 3000;

#[test]
fn polygons_meet_and_lie_within_one_another_as_another_library_says() {
    check(1, PAIRS * long_runs(100));
}

fn check(seed: u64, pairs: u32) {
    let mut numbers = Numbers(seed);
    let (mut done, mut within, mut found_within) = (0, 0, 0);
    while done < pairs {
        let (one, other) = (corners(&mut numbers), corners(&mut numbers));
        let (Some((area, opinion)), Some((other_area, other_opinion))) = (both(&one), both(&other))
        else {
            continue;
        };
        done += 1;
        let matrix = opinion.relate(&other_opinion);
        let told = area.meets(&other_area);
        assert_eq!(told, matrix.is_intersects(), "seed {seed}: {one:?} {other:?}");
        let told = area.is_within(&other_area);
        assert!(!told || matrix.is_coveredby(), "seed {seed}: {one:?} is not within {other:?}");
        within += u32::from(matrix.is_coveredby());
        found_within += u32::from(told);
    }
    assert!(within > pairs / 100, "enough lie within one another");
    assert!(found_within * 10 >= within * 9, "{found_within} of {within} are found");
}

/// Of a few corners on a small grid, round about in order.
fn corners(numbers: &mut Numbers) -> Vec<(f64, f64)> {
    let count = 3 + numbers.below(6);
    let reach = 1 + numbers.below(5);
    let (x, y) = (numbers.below(4), numbers.below(4));
    let mut grid = |from: u32| f64::from(from + numbers.below(reach + 1));
    let mut corners: Vec<(f64, f64)> = (0..count).map(|_| (grid(x), grid(y))).collect();
    let middle = corners.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let middle = (middle.0 / f64::from(count), middle.1 / f64::from(count));
    let angle = |one: &(f64, f64)| (one.1 - middle.1).atan2(one.0 - middle.0);
    corners.sort_by(|one, other| angle(one).total_cmp(&angle(other)));
    corners
}

fn both(corners: &[(f64, f64)]) -> Option<(Area, Polygon)> {
    let area = Area::polygons(&[vec![ring(corners)]]).ok()?;
    let line: Vec<Coord> = corners.iter().map(|&(x, y)| Coord { x, y }).collect();
    Some((area, Polygon::new(LineString::new(line), Vec::new())))
}
