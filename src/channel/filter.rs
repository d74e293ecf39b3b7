//! Tag filters: which publications of a channel a subscriber wants, by their tags. Names, meanings
//! and what is refused are Centrifugo's. A filter is checked once when it is parsed; evaluating it
//! allocates nothing and cannot fail.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::base::limits;

/// A filter, or a part of one, as a client writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FilterPart {
    /// Empty for a comparison, else `and`, `or` or `not` of `nodes`.
    pub(crate) op: String,
    pub(crate) key: String,
    /// `eq`, `neq`, `in`, `nin`, `ex`, `nex`, `sw`, `ew`, `ct`, `lt`, `lte`, `gt` or `gte`.
    pub(crate) cmp: String,
    pub(crate) val: String,
    pub(crate) vals: Vec<String>,
    pub(crate) nodes: Vec<FilterPart>,
}

/// A filter that is well-formed: at most [`limits::FILTER_NODES`] nodes in at most
/// [`limits::FILTER_DEPTH`] levels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TagFilter(Node);

/// Why a filter is none: the path of the field, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {fault}")]
pub(crate) struct FilterError {
    path: String,
    fault: FilterFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterFault {
    #[error("unknown; there are and, or, not, and none for a comparison")]
    UnknownOp,
    #[error("unknown; there are eq, neq, in, nin, ex, nex, sw, ew, ct, lt, lte, gt, gte")]
    UnknownCmp,
    #[error("missing")]
    Missing,
    #[error("has no meaning here")]
    Unexpected,
    #[error("not takes exactly one node")]
    NotOne,
    #[error("more than {} nodes", limits::FILTER_NODES)]
    TooMany,
    #[error("more than {} values", limits::FILTER_VALUES)]
    TooManyValues,
    #[error("deeper than {} levels", limits::FILTER_DEPTH)]
    TooDeep,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Tag { key: String, test: Test },
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equal(String),
    NotEqual(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
    Starts(String),
    Ends(String),
    Contains(String),
    /// Passes where tag and bound are numbers, and the tag's order to the bound is one of these.
    Order(String, [Ordering; 2]),
}

impl TagFilter {
    /// `name` is the field that holds the filter; paths in errors begin with it.
    pub(crate) fn parse(name: &str, filter: FilterPart) -> Result<Self, FilterError> {
        parse(name, filter, 1, &mut Size::default()).map(Self)
    }

    /// What numbers a tag must lie between for the filter to pass, where its outermost conditions
    /// bound it; from minus to plus infinity where only one side is bounded.
    pub(crate) fn range(&self, key: &str) -> Option<(f64, f64)> {
        let mut range = None;
        self.0.conditions(&mut |tag, test| {
            let Test::Order(bound, accepted) = test else { return };
            let Ok(bound) = bound.parse::<f64>() else { return };
            if tag != key {
                return;
            }
            let (least, most) = range.get_or_insert((f64::NEG_INFINITY, f64::INFINITY));
            if accepted.contains(&Ordering::Greater) {
                *least = bound.max(*least);
            } else {
                *most = bound.min(*most);
            }
        });
        range
    }

    /// The values of which a tag must have one for the filter to pass, where an outermost
    /// condition lists them.
    pub(crate) fn values(&self, key: &str) -> Option<Vec<String>> {
        let mut values = None;
        self.0.conditions(&mut |tag, test| match test {
            Test::Equal(value) if tag == key => values = Some(vec![value.clone()]),
            // An absent tag counts as empty among values.
            Test::In(all) if tag == key && !all.contains(&String::new()) => {
                values = Some(all.clone());
            }
            _ => {}
        });
        values
    }

    /// Whether a publication with these tags is wanted.
    pub(crate) fn passes(&self, tags: &BTreeMap<String, String>) -> bool {
        self.0.passes(tags)
    }
}

impl Node {
    /// Shows each comparison that must hold for the node to pass.
    fn conditions(&self, see: &mut impl FnMut(&str, &Test)) {
        match self {
            Self::Tag { key, test } => see(key, test),
            Self::All(nodes) => nodes.iter().for_each(|node| node.conditions(see)),
            Self::Any(_) | Self::Not(_) => {}
        }
    }

    fn passes(&self, tags: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Tag { key, test } => test.passes(tags.get(key).map(String::as_str)),
            Self::All(nodes) => nodes.iter().all(|node| node.passes(tags)),
            Self::Any(nodes) => nodes.iter().any(|node| node.passes(tags)),
            Self::Not(node) => !node.passes(tags),
        }
    }
}

impl Test {
    fn passes(&self, tag: Option<&str>) -> bool {
        // Among values, a tag that is not there counts as an empty one.
        let among = |values: &[String]| values.iter().any(|one| one == tag.unwrap_or_default());
        match self {
            Self::Equal(value) => tag == Some(value),
            Self::NotEqual(value) => tag != Some(value),
            Self::In(values) => among(values),
            Self::NotIn(values) => !among(values),
            Self::Exists => tag.is_some(),
            Self::Missing => tag.is_none(),
            Self::Starts(value) => tag.is_some_and(|tag| tag.starts_with(value.as_str())),
            Self::Ends(value) => tag.is_some_and(|tag| tag.ends_with(value.as_str())),
            Self::Contains(value) => tag.is_some_and(|tag| tag.contains(value.as_str())),
            Self::Order(bound, accepted) => tag
                .and_then(|tag| compare_numbers(tag, bound))
                .is_some_and(|order| accepted.contains(&order)),
        }
    }
}

/// What a filter has so far.
#[derive(Default)]
struct Size {
    nodes: usize,
    values: usize,
}

fn parse(path: &str, part: FilterPart, depth: usize, size: &mut Size) -> Result<Node, FilterError> {
    size.nodes += 1;
    size.values += part.vals.len();
    if size.nodes > limits::FILTER_NODES {
        return Err(fault(path, "", FilterFault::TooMany));
    }
    if size.values > limits::FILTER_VALUES {
        return Err(fault(path, "vals", FilterFault::TooManyValues));
    }
    if depth > limits::FILTER_DEPTH {
        return Err(fault(path, "", FilterFault::TooDeep));
    }
    if part.op.is_empty() {
        return comparison(path, part);
    }
    if !matches!(part.op.as_str(), "and" | "or" | "not") {
        return Err(fault(path, "op", FilterFault::UnknownOp));
    }
    if part.nodes.is_empty() {
        return Err(fault(path, "nodes", FilterFault::Missing));
    }
    let mut nodes = Vec::with_capacity(part.nodes.len().min(limits::FILTER_NODES));
    for (index, node) in part.nodes.into_iter().enumerate() {
        nodes.push(parse(&format!("{path}.nodes[{index}]"), node, depth + 1, size)?);
    }
    match (part.op.as_str(), nodes.len()) {
        ("and", _) => Ok(Node::All(nodes)),
        ("or", _) => Ok(Node::Any(nodes)),
        (_, 1) => Ok(Node::Not(Box::new(nodes.remove(0)))),
        (_, _) => Err(fault(path, "nodes", FilterFault::NotOne)),
    }
}

fn comparison(path: &str, part: FilterPart) -> Result<Node, FilterError> {
    let FilterPart { key, cmp, val, vals, .. } = part;
    let (takes_val, takes_vals) = match cmp.as_str() {
        "" => return Err(fault(path, "cmp", FilterFault::Missing)),
        "ex" | "nex" => (false, false),
        "in" | "nin" => (false, true),
        _ => (true, false),
    };
    let test = match cmp.as_str() {
        "eq" => Test::Equal(val.clone()),
        "neq" => Test::NotEqual(val.clone()),
        "in" => Test::In(vals.clone()),
        "nin" => Test::NotIn(vals.clone()),
        "ex" => Test::Exists,
        "nex" => Test::Missing,
        "sw" => Test::Starts(val.clone()),
        "ew" => Test::Ends(val.clone()),
        "ct" => Test::Contains(val.clone()),
        "lt" => Test::Order(val.clone(), [Ordering::Less; 2]),
        "lte" => Test::Order(val.clone(), [Ordering::Less, Ordering::Equal]),
        "gt" => Test::Order(val.clone(), [Ordering::Greater; 2]),
        "gte" => Test::Order(val.clone(), [Ordering::Greater, Ordering::Equal]),
        _ => return Err(fault(path, "cmp", FilterFault::UnknownCmp)),
    };
    for (field, is_due, is_there) in
        [("val", takes_val, !val.is_empty()), ("vals", takes_vals, !vals.is_empty())]
    {
        if is_due && !is_there {
            return Err(fault(path, field, FilterFault::Missing));
        }
        if is_there && !is_due {
            return Err(fault(path, field, FilterFault::Unexpected));
        }
    }
    if key.is_empty() && (takes_val || takes_vals) {
        return Err(fault(path, "key", FilterFault::Missing));
    }
    Ok(Node::Tag { key, test })
}

fn fault(path: &str, field: &str, fault: FilterFault) -> FilterError {
    let dot = if field.is_empty() { "" } else { "." };
    FilterError { path: format!("{path}{dot}{field}"), fault }
}

// === Numbers ===

/// The order of two decimal numbers (`-12.50`), exact at any length: tags hold ids and times that
/// a float would round. `None` where one is no number.
fn compare_numbers(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (Decimal::parse(left)?, Decimal::parse(right)?);
    Some(match (left.negative, right.negative) {
        (false, false) => left.magnitude().cmp(&right.magnitude()),
        (true, true) => right.magnitude().cmp(&left.magnitude()),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

struct Decimal<'a> {
    /// Never for zero.
    negative: bool,
    /// Without leading zeros.
    whole: &'a str,
    /// Without trailing zeros.
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (unsigned, ""),
        };
        let are_digits = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: text.starts_with('-') && !is_zero, whole, fraction })
    }

    /// Orders numbers of one sign by their distance from zero.
    fn magnitude(&self) -> (usize, &str, &str) {
        (self.whole.len(), self.whole, self.fraction)
    }
}

#[cfg(test)]
mod tests;
