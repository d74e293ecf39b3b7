use expect_test::{Expect, expect};

use super::*;

fn nothing() -> impl Iterator<Item = (String, String)> {
    std::iter::empty()
}

fn told(result: Result<(Config, Vec<Warning>), Faults>) -> String {
    match result {
        Ok((_, warnings)) => {
            let lines: Vec<String> =
                warnings.iter().map(|one| format!("warning: {one}\n")).collect();
            lines.concat() + "ok\n"
        }
        Err(faults) => format!("{faults}\n"),
    }
}

fn check(format: Format, text: &str, expected: Expect) {
    expected.assert_eq(&told(Config::parse(format, text, nothing())));
}

#[test]
fn an_empty_file_of_each_format_is_a_configuration() {
    for (format, text) in [
        (Format::Toml, ""),
        (Format::Yaml, ""),
        (Format::Yaml, "# nothing\n"),
        (Format::Json, "{}"),
    ] {
        check(
            format,
            text,
            expect![[r#"
            warning: client.token: has no key: no client can connect
            ok
        "#]],
        );
    }
}
