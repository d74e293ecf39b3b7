//! Locks that tasks share: each has a decision record that says why it is a lock.

use crate::source::Sources;
use crate::{Finding, Texts};

/// Locks of one file.
#[derive(Debug)]
pub(crate) struct Lock {
    pub(crate) file: &'static str,
    pub(crate) count: usize,
    /// Name of the record in `docs/decisions/`.
    pub(crate) decision: &'static str,
}

const KINDS: &[&str] = &["DashMap", "FairMutex", "Mutex", "ReentrantMutex", "RwLock"];

/// Files whose number of lock types is not the decided one, and decisions that are not there.
pub(crate) fn undecided(files: &Sources, decided: &[Lock], texts: &Texts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.values() {
        let locks: Vec<usize> = file
            .product()
            .filter(|at| KINDS.contains(&file.tokens[*at].text.as_str()))
            // `Mutex<…>` is a field's type; renamed, one could not be told any more.
            .filter(|at| file.tokens.get(at + 1).is_some_and(|next| next.is("<") || next.is("as")))
            .map(|at| file.tokens[at].line)
            .collect();
        let count = decided.iter().find(|lock| lock.file == file.path).map_or(0, |lock| lock.count);
        if locks.len() != count {
            let rule =
                format!("{} shared locks, {count} decided (LOCKS in tests/tidy)", locks.len());
            findings.push(Finding::new(&file.path, locks.last().copied().unwrap_or(0), rule));
        }
    }
    for lock in decided {
        let record = format!("docs/decisions/{}", lock.decision);
        if !files.contains_key(lock.file) {
            findings.push(Finding::new(lock.file, 0, "has no locks: there is no such file"));
        }
        if !texts.iter().any(|(path, _)| *path == record) {
            findings.push(Finding::new(lock.file, 0, format!("there is no {record}")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sources;

    fn check(text: &str, count: usize, expected: &[&str]) {
        let files = sources([("src/lib.rs", text)]);
        let decided = [Lock { file: "src/lib.rs", count, decision: "0001-a.md" }];
        let texts = vec![("docs/decisions/0001-a.md".to_owned(), String::new())];
        let found = undecided(&files, &decided, &texts);
        let found: Vec<_> = found.iter().map(Finding::to_string).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn an_undecided_lock_is_found() {
        let rule = "src/lib.rs:2: 2 shared locks, 1 decided (LOCKS in tests/tidy)";
        check("struct A(Mutex<B>);\nstruct C { d: Arc<std::sync::RwLock<E>> }", 1, &[rule]);
        check("use a::Mutex as B;\nstruct C(tokio::sync::Mutex<D>);", 1, &[rule]);
        let gone = "src/lib.rs: 0 shared locks, 1 decided (LOCKS in tests/tidy)";
        check("struct A;", 1, &[gone]);
    }

    #[test]
    fn decided_locks_and_those_of_tests_are_not_found() {
        check("use a::Mutex; struct A(Mutex<B>); fn c(d: MutexGuard<B>) { Mutex::new(d) }", 1, &[]);
        check("// Mutex<A>\n#[cfg(test)] mod tests { struct A(Mutex<B>); }", 0, &[]);
    }

    #[test]
    fn a_decision_that_is_not_there_is_found() {
        let decided = [Lock { file: "src/a.rs", count: 1, decision: "0002-b.md" }];
        let found = undecided(&sources([("src/lib.rs", "")]), &decided, &Texts::new());
        assert_eq!(found.len(), 2, "neither the file nor the record is there: {found:?}");
    }
}
