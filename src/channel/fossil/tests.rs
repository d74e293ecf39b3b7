use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index as Place, select};

use super::*;

/// Applies a patch, written from the description of the format alone.
pub(crate) fn apply(base: &[u8], patch: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut patch = Reader(patch);
    let (size, b'\n') = patch.number()? else { return Err("no size") };
    let mut out: Vec<u8> = Vec::new();
    loop {
        match patch.number()? {
            (bytes, b'@') => {
                let (offset, b',') = patch.number()? else { return Err("no offset") };
                out.extend(base.get(offset..offset + bytes).ok_or("copies past the end")?);
            }
            (bytes, b':') => {
                let (data, rest) = patch.0.split_at_checked(bytes).ok_or("inserts past the end")?;
                out.extend(data);
                patch.0 = rest;
            }
            (_, b';') if !patch.0.is_empty() => return Err("more after the end"),
            (_, b';') if out.len() != size => return Err("another size"),
            (sum, b';') => {
                let byte = |at: usize| u64::from(out.get(at).copied().unwrap_or(0));
                let word = |at| (0..4).fold(0, |word, i| word << 8 | byte(at + i));
                let own = (0..out.len()).step_by(4).map(word).sum::<u64>() % (1 << 32);
                return if own == sum as u64 { Ok(out) } else { Err("another checksum") };
            }
            _ => return Err("no command"),
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// A number and the character that ends it.
    fn number(&mut self) -> Result<(usize, u8), &'static str> {
        let alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
        let mut value = 0;
        loop {
            let (&byte, rest) = self.0.split_first().ok_or("cut off")?;
            self.0 = rest;
            match alphabet.find(char::from(byte)) {
                Some(digit) => value = value * 64 + digit,
                None => return Ok((value, byte)),
            }
        }
    }
}

fn patched(base: &str, target: &str) -> Option<String> {
    let patch = patch(base.as_bytes(), target.as_bytes())?;
    assert_eq!(apply(base.as_bytes(), &patch), Ok(target.as_bytes().to_vec()));
    Some(String::from_utf8(patch).expect("the patch of a text is a text"))
}

#[test]
fn changes_in_place_moves_and_insertions_are_small() {
    let line = |n: usize| format!("{{\"id\":{n},\"state\":\"waiting for a driver\"}},");
    let base: String = (0..100).map(line).collect();
    let in_place = base.replace("\"id\":50,\"state\":\"waiting", "\"id\":50,\"state\":\"looking");
    let size = patched(&base, &in_place).expect("much is equal").len();
    assert!(size < 40, "{size} bytes for one word");
    let (first, second) = base.split_at(base.len() / 3);
    let size = patched(&base, &format!("{second}{first}")).expect("all is there").len();
    assert!(size < 60, "{size} bytes for two halves");
    let inserted = format!("{first}something that was not there{second}");
    let size = patched(&base, &inserted).expect("much is equal").len();
    assert!(size < 80, "{size} bytes for an insertion");
    assert_eq!(patched(&base, &base).as_deref(), Some("~v\n~v@0,t2Lik;"));
}

#[test]
fn a_delta_that_saves_nothing_is_none() {
    for (base, target) in [
        ("", ""),
        ("", "a"),
        ("short", "short"),
        ("1234567890abcdef", "fedcba0987654321"),
        ("1234567890abcde", "1234567890abcde"),
        ("a text of some length", ""),
    ] {
        assert_eq!(patched(base, target), None, "{base:?} {target:?}");
    }
    let large = "x".repeat(limits::DELTA_BYTES);
    assert!(patched(&large, &large).is_some());
    assert_eq!(patched(&large, &format!("{large}x")), None);
    assert_eq!(patched(&format!("{large}x"), &large), None);
}

/// Two letters of Cyrillic share their first byte.
#[test]
fn no_insertion_begins_or_ends_within_a_character() {
    let base = "начало строки, которая останется; функција не даје резултат; конец строки";
    let target = "начало строки, которая останется; функција ради коректно; конец строки";
    assert!(patched(base, target).is_some());
}

/// Blocks of one bucket, and blocks that repeat with small differences.
#[test]
fn the_work_is_bounded_by_the_sizes() {
    let base: Vec<u8> =
        (0..limits::DELTA_BYTES).map(|at| b"ab"[usize::from(at % 17 == 0)]).collect();
    let target: Vec<u8> =
        (0..limits::DELTA_BYTES).map(|at| b"ab"[usize::from(at % 19 == 0)]).collect();
    let mut search = Search {
        base: &base,
        target: &target,
        is_text: false,
        index: Index::new(&base),
        probes: 5,
    };
    let hash = search.hash_at(3).unwrap();
    for _ in 0..10 {
        search.find(hash, 3, 3, 1);
    }
    assert_eq!(search.probes, 0);
    if let Some(patch) = patch(&base, &target) {
        assert_eq!(apply(&base, &patch), Ok(target));
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(Place, String),
    Remove(Place, Place),
    Move(Place, Place),
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = any::<Place>;
    prop_oneof![
        (place(), "[a-cé→𝄞]{0,20}").prop_map(|(at, text)| Edit::Insert(at, text)),
        (place(), place()).prop_map(|(from, to)| Edit::Remove(from, to)),
        (place(), place()).prop_map(|(from, to)| Edit::Move(from, to)),
    ]
}

fn apply_edit(text: &mut Vec<char>, edit: &Edit) {
    let span = |from: &Place, to: &Place| {
        let (from, to) = (from.index(text.len() + 1), to.index(text.len() + 1));
        from.min(to)..from.max(to)
    };
    match edit {
        Edit::Insert(at, new) => {
            let at = at.index(text.len() + 1);
            text.splice(at..at, new.chars());
        }
        Edit::Remove(from, to) => drop(text.drain(span(from, to))),
        Edit::Move(from, to) => {
            let moved: Vec<char> = text.drain(span(from, to)).collect();
            text.splice(0..0, moved);
        }
    }
}

proptest! {
    #[test]
    fn the_target_of_a_text_comes_back_and_its_patch_is_a_text(
        base in "[a-cé→𝄞]{0,400}",
        edits in vec(edit(), 0..4),
    ) {
        let mut target: Vec<char> = base.chars().collect();
        edits.iter().for_each(|edit| apply_edit(&mut target, edit));
        let target: String = target.into_iter().collect();
        let patch = patched(&base, &target);
        prop_assert!(patch.is_none_or(|patch| patch.len() < target.len()));
    }

    #[test]
    fn the_target_of_any_bytes_comes_back(
        base in vec(select(&[0_u8, 1, 0x80, 0xff][..]), 0..600),
        kept in any::<(Place, Place)>(),
        before in vec(any::<u8>(), 0..40),
        after in vec(any::<u8>(), 0..40),
    ) {
        let (from, to) = (kept.0.index(base.len() + 1), kept.1.index(base.len() + 1));
        let target = [&before[..], &base[from.min(to)..from.max(to)], &after[..]].concat();
        if let Some(patch) = patch(&base, &target) {
            prop_assert!(patch.len() < target.len());
            prop_assert_eq!(apply(&base, &patch), Ok(target));
        } else {
            // One part is equal: it is found where it saves more than it costs.
            prop_assert!(to.abs_diff(from) < before.len() + after.len() + 64);
        }
    }
}
