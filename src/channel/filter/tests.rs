use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn leaf(key: &str, cmp: &str, val: &str) -> FilterPart {
    FilterPart { key: key.into(), cmp: cmp.into(), val: val.into(), ..FilterPart::default() }
}

fn of(op: &str, nodes: Vec<FilterPart>) -> FilterPart {
    FilterPart { op: op.into(), nodes, ..FilterPart::default() }
}

fn refusal(filter: FilterPart) -> String {
    TagFilter::parse("tf", filter).expect_err("refused").to_string()
}

#[test]
fn a_refusal_names_the_field() {
    let good = || leaf("a", "eq", "1");
    let listed = |cmp: &str, vals: &[&str]| FilterPart {
        vals: vals.iter().map(|&one| one.to_owned()).collect(),
        ..leaf("a", cmp, "")
    };
    let cases = [
        (
            of("xor", vec![good()]),
            "tf.op: unknown; there are and, or, not, and none for a comparison",
        ),
        (of("and", vec![]), "tf.nodes: missing"),
        (of("not", vec![good(), good()]), "tf.nodes: not takes exactly one node"),
        (
            of("and", vec![good(), leaf("a", "like", "1")]),
            "tf.nodes[1].cmp: unknown; there are eq, neq, in, nin, ex, nex, sw, ew, ct, lt, lte, gt, gte",
        ),
        (of("not", vec![of("or", vec![leaf("", "eq", "1")])]), "tf.nodes[0].nodes[0].key: missing"),
        (leaf("a", "", "1"), "tf.cmp: missing"),
        (leaf("a", "eq", ""), "tf.val: missing"),
        (leaf("a", "ex", "1"), "tf.val: has no meaning here"),
        (listed("in", &[]), "tf.vals: missing"),
        (listed("nex", &["1"]), "tf.vals: has no meaning here"),
        (FilterPart { vals: vec!["1".into()], ..good() }, "tf.vals: has no meaning here"),
    ];
    for (filter, expected) in cases {
        assert_eq!(refusal(filter), expected);
    }
}

#[test]
fn filters_at_the_bounds_pass_and_one_past_fail() {
    let wide = |leaves| of("and", vec![leaf("a", "ex", ""); leaves]);
    TagFilter::parse("tf", wide(limits::FILTER_NODES - 1)).unwrap();
    assert!(refusal(wide(limits::FILTER_NODES)).ends_with(": more than 64 nodes"));
    let deep = |levels| (1..levels).fold(leaf("a", "ex", ""), |node, _| of("not", vec![node]));
    TagFilter::parse("tf", deep(limits::FILTER_DEPTH)).unwrap();
    assert!(refusal(deep(limits::FILTER_DEPTH + 1)).ends_with(": deeper than 16 levels"));
}

#[test]
fn numbers_are_compared_exactly_and_what_is_none_matches_nothing() {
    use Ordering::{Equal, Greater, Less};
    let cases = [
        ("9", "10", Some(Less)),
        ("9007199254740993", "9007199254740992", Some(Greater)),
        ("1.50", "1.5", Some(Equal)),
        ("1.5", "1.45", Some(Greater)),
        ("-2", "-10", Some(Greater)),
        ("-0.0", "0", Some(Equal)),
        ("+007", "7", Some(Equal)),
        ("-1", "1", Some(Less)),
        ("", "1", None),
        ("1", "-", None),
        ("1e3", "1", None),
        ("1.", "1", None),
        (".5", "1", None),
        ("NaN", "1", None),
        ("1 ", "1", None),
    ];
    for (left, right, expected) in cases {
        assert_eq!(compare_numbers(left, right), expected, "{left:?} {right:?}");
    }
    for cmp in ["lt", "lte", "gt", "gte"] {
        let filter = TagFilter::parse("tf", leaf("a", cmp, "x")).unwrap();
        assert!(!filter.passes(&[("a".to_owned(), "1".to_owned())].into()), "{cmp}");
    }
}

fn text() -> impl Strategy<Value = String> {
    select(&["", "a", "ab", "b", "1", "2", "10", "-1.5", "1.50", "x1"][..]).prop_map(String::from)
}

fn part() -> impl Strategy<Value = FilterPart> {
    let cmps =
        ["eq", "neq", "in", "nin", "ex", "nex", "sw", "ew", "ct", "lt", "lte", "gt", "gte", "no"];
    let leaf = (select(&["k", "l", ""][..]), select(cmps.to_vec()), text(), vec(text(), 0..3))
        .prop_map(|(key, cmp, val, vals)| {
            // Mostly what the comparison takes, or nearly every filter would be refused.
            let (val, vals) = match cmp {
                "ex" | "nex" => (String::new(), vec![]),
                "in" | "nin" => (String::new(), vals),
                _ => (val, vec![]),
            };
            FilterPart { key: key.into(), cmp: cmp.into(), val, vals, ..FilterPart::default() }
        });
    leaf.prop_recursive(4, 24, 4, |node| {
        (select(&["and", "or", "not"][..]), vec(node, 0..4)).prop_map(|(op, nodes)| of(op, nodes))
    })
}

/// The rules as they are written down, straight over what the client sent.
fn oracle(part: &FilterPart, tags: &BTreeMap<String, String>) -> Option<bool> {
    let nodes: Option<Vec<bool>> = part.nodes.iter().map(|node| oracle(node, tags)).collect();
    let nodes = nodes?;
    let tag = tags.get(&part.key);
    let value = tag.cloned().unwrap_or_default();
    let numbers = || Some((tag?.parse::<f64>().ok()?, part.val.parse::<f64>().ok()?));
    let answer = match (part.op.as_str(), part.cmp.as_str()) {
        ("and", _) if !nodes.is_empty() => nodes.iter().all(|one| *one),
        ("or", _) if !nodes.is_empty() => nodes.iter().any(|one| *one),
        ("not", _) if nodes.len() == 1 => !nodes[0],
        ("", "ex") => tag.is_some(),
        ("", "nex") => tag.is_none(),
        ("", _) if part.key.is_empty() => return None,
        ("", "in") if !part.vals.is_empty() => part.vals.contains(&value),
        ("", "nin") if !part.vals.is_empty() => !part.vals.contains(&value),
        ("", _) if part.val.is_empty() => return None,
        ("", "eq") => tag == Some(&part.val),
        ("", "neq") => tag != Some(&part.val),
        ("", "sw") => tag.is_some() && value.starts_with(&part.val),
        ("", "ew") => tag.is_some() && value.ends_with(&part.val),
        ("", "ct") => tag.is_some() && value.contains(&part.val),
        ("", "lt") => numbers().is_some_and(|(tag, bound)| tag < bound),
        ("", "lte") => numbers().is_some_and(|(tag, bound)| tag <= bound),
        ("", "gt") => numbers().is_some_and(|(tag, bound)| tag > bound),
        ("", "gte") => numbers().is_some_and(|(tag, bound)| tag >= bound),
        _ => return None,
    };
    Some(answer)
}

proptest! {
    #[test]
    fn a_filter_decides_as_the_rules_read(
        part in part(),
        tags in btree_map(select(&["k", "l", "m"][..]).prop_map(String::from), text(), 0..3),
    ) {
        let filter = TagFilter::parse("tf", part.clone());
        prop_assert_eq!(filter.map(|filter| filter.passes(&tags)).ok(), oracle(&part, &tags));
    }
}

#[test]
fn as_many_values_as_the_bound_pass_and_one_more_does_not() {
    let list = |count: usize| FilterPart {
        key: "k".into(),
        cmp: "in".into(),
        vals: vec!["v".into(); count],
        ..FilterPart::default()
    };
    TagFilter::parse("tf", list(limits::FILTER_VALUES)).unwrap();
    let refused = TagFilter::parse("tf", list(limits::FILTER_VALUES + 1)).unwrap_err();
    assert_eq!(refused.to_string(), "tf.vals: more than 256 values");
}
