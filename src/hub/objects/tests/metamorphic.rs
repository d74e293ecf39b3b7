//! What must make no difference to what is told: where on the Earth it happens, who else is there,
//! and whether a batch comes at once or with pauses.

use proptest::prelude::*;

use super::*;
use crate::geo::{Circle, Transition};

/// Metres east and north of the middle.
type Offset = (f64, f64);

/// Views and fences, and the way of objects past them.
#[derive(Clone, Debug)]
struct Plan {
    lat: f64,
    /// Where, how large, and whether it tells transitions.
    views: Vec<(Offset, f64, bool)>,
    fixes: Vec<(usize, Offset)>,
}

/// The same plan told otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Twist {
    Plain,
    /// So many degrees farther east.
    Turned(f64),
    /// On the other hemisphere.
    Mirrored,
    /// Among others, who move as well.
    Crowded,
    /// With pauses within the batch.
    Split,
}

fn plans() -> impl Strategy<Value = Plan> {
    let offset = || (-600.0..600.0, -600.0..600.0);
    let view = (offset(), prop_oneof![50.0..400.0, Just(700.0)], any::<bool>());
    let lat = prop_oneof![-80.0..80.0, Just(0.0), Just(89.99)];
    let views = prop::collection::vec(view, 1..5);
    let fixes = prop::collection::vec((0..3_usize, offset()), 1..30);
    (lat, views, fixes).prop_map(|(lat, views, fixes)| Plan { lat, views, fixes })
}

impl Plan {
    fn place(&self, (east, north): Offset, twist: Twist) -> (f64, f64) {
        let lat = self.lat + north / 111_195.0;
        let lng = east / (111_195.0 * self.lat.to_radians().cos());
        match twist {
            Twist::Turned(by) => (lat, (lng + by + 180.0).rem_euclid(360.0) - 180.0),
            Twist::Mirrored => (-lat, lng),
            Twist::Plain | Twist::Crowded | Twist::Split => (lat, lng),
        }
    }

    /// Whether rounding may say otherwise of a fix than geometry does.
    fn is_close(&self) -> bool {
        let at = |offset| {
            let (lat, lng) = self.place(offset, Twist::Plain);
            point(lat, lng)
        };
        self.views.iter().any(|(center, radius, _)| {
            let center = at(*center);
            self.fixes.iter().any(|(_, offset)| {
                let Metres(away) = at(*offset).distance(&center);
                // A fence lets go 20 m beyond its edge.
                [*radius, radius + 20.0].iter().any(|edge| (away - edge).abs() < 0.001)
            })
        })
    }

    /// What each view is told of the plan's own objects.
    fn told(&self, twist: Twist) -> Vec<Vec<String>> {
        let mut town = Town::new(options());
        let mut piles = Vec::new();
        for (session, (center, radius, detects)) in (1..).zip(&self.views) {
            let (lat, lng) = self.place(*center, twist);
            let area = Circle::new(point(lat, lng), Metres(*radius));
            let detect = [Transition::Enter, Transition::Exit, Transition::Inside];
            let detect = detects.then(|| detect.into_iter().collect());
            let view = town.view(AreaSource::Fixed(Arc::new(Area::Circle(area))));
            piles.push(town.join(session, View { detect, ..view }));
        }
        for (number, (object, offset)) in self.fixes.iter().enumerate() {
            if twist == Twist::Crowded {
                let (lat, lng) = self.place((offset.1, offset.0), twist);
                town.at(&format!("other{}", number % 4), lat, lng);
            }
            if twist == Twist::Split && number % 3 == 0 {
                town.pass(Duration::from_millis(700));
            }
            let (lat, lng) = self.place(*offset, twist);
            town.at(["a", "b", "c"][*object], lat, lng);
        }
        let own = |pile: &Pile| {
            let told = seen(pile).into_iter().filter(|one| !one.contains(" other"));
            told.collect()
        };
        piles.iter().map(own).collect()
    }
}

proptest! {
    #[test]
    fn where_among_whom_and_in_how_many_pieces_makes_no_difference(
        plan in plans(),
        turn in prop_oneof![-180.0..180.0, Just(180.0), Just(179.995), Just(-90.0)],
    ) {
        prop_assume!(!plan.is_close());
        let plain = plan.told(Twist::Plain);
        for twist in [Twist::Turned(turn), Twist::Mirrored, Twist::Crowded, Twist::Split] {
            prop_assert_eq!(&plan.told(twist), &plain, "{:?}", twist);
        }
    }
}
