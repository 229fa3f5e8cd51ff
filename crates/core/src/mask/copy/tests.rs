//! COPY data of every format, whole and at every split.

use super::*;
use crate::mask::cell::Form;
use crate::mask::classes::Classes;
use crate::mask::lineage::{fixture, lineage};
use brattice_fuzz::{Fuzz, digest};
use pg_query::NodeEnum;
use std::sync::LazyLock;

static DETECTOR: LazyLock<Arc<Detector>> =
    LazyLock::new(|| Arc::new(Detector::new(&Classes::builtin()).unwrap()));

/// A masker for `COPY customers (id, name, ssn) TO STDOUT` with these options.
fn masker(options: &str) -> CopyMasker {
    let catalogue = fixture::catalogue();
    let masked = fixture::masked(&catalogue);
    let sql = format!("COPY customers (id, name, ssn) TO STDOUT {options}");
    let tree = pg_query::parse(&sql, pg_query::ParserOptions::default()).unwrap();
    let outputs = lineage(&tree.protobuf, &catalogue, &fixture::path(), &masked)
        .statements
        .remove(0)
        .outputs;
    CopyMasker::new(
        options_of(&sql).unwrap(),
        3,
        &outputs,
        &masked,
        &|_| Reveal::As(Form::Masked),
        &DETECTOR,
        None,
    )
    .unwrap()
}

fn options_of(sql: &str) -> Result<CopyOptions, OptionsRefused> {
    let tree = pg_query::parse(sql, pg_query::ParserOptions::default()).unwrap();
    match tree.protobuf.stmts[0]
        .stmt
        .as_ref()
        .unwrap()
        .node
        .as_ref()
        .unwrap()
    {
        NodeEnum::CopyStmt(c) => CopyOptions::of(c),
        _ => panic!("not COPY"),
    }
}

fn run(options: &str, data: &[u8], chunk: usize) -> Result<Vec<u8>, CopyBroken> {
    let mut masker = masker(options);
    let (mut out, mut tally) = (Vec::new(), Tally::default());
    for part in data.chunks(chunk) {
        masker.push(part, &mut out, &mut tally)?;
    }
    masker.finish()?;
    Ok(out)
}

#[track_caller]
fn becomes(options: &str, data: &str, expected: &str) {
    for chunk in [1, 2, 3, 7, 1000] {
        let out = run(options, data.as_bytes(), chunk).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            expected,
            "{options} {chunk}"
        );
    }
}

#[test]
fn text_rows() {
    becomes(
        "",
        "1\tann\t123\n2\t\\N\t\\N\n",
        "1\tann\t[masked:us_ssn]\n2\t\\N\t\\N\n",
    );
    becomes(
        "",
        "1\ta\\tb\\\\\t1\\n2\n",
        "1\ta\\tb\\\\\t[masked:us_ssn]\n",
    );
    becomes(
        "",
        "1\tto jo@example.org\\n\tx\n",
        "1\tto [masked:email]\\n\t[masked:us_ssn]\n",
    );
    becomes(
        "WITH (DELIMITER ':', NULL 'x')",
        "1:a\\:b:c\nx:x:x\n",
        "1:a\\:b:[masked\\:us_ssn]\nx:x:x\n",
    );
    becomes(
        "WITH (HEADER true)",
        "id\tname\tssn\n1\ta\tb\n",
        "id\tname\tssn\n1\ta\t[masked:us_ssn]\n",
    );
    becomes("", "", "");
}

#[test]
fn csv_rows() {
    becomes(
        "WITH CSV",
        "1,ann,123\n2,,\n3,\"\",\"\"\n",
        "1,ann,[masked:us_ssn]\n2,,\n3,\"\",\"[masked:us_ssn]\"\n",
    );
    becomes(
        "WITH CSV HEADER",
        "id,name,ssn\n1,a,b\n",
        "id,name,ssn\n1,a,[masked:us_ssn]\n",
    );
    becomes(
        "WITH (FORMAT csv, FORCE_QUOTE *)",
        "\"1\",\"a\"\"b,\njo@example.org\",\"x\"\n",
        "\"1\",\"a\"\"b,\n[masked:email]\",\"[masked:us_ssn]\"\n",
    );
    becomes(
        "WITH (FORMAT csv, DELIMITER ':', QUOTE '''', ESCAPE '\\', NULL 'nil')",
        "1:'a\\'b\n\\\\':c\nnil:nil:nil\n",
        "1:'a\\'b\n\\\\':'[masked:us_ssn]'\nnil:nil:nil\n",
    );
}

fn binary(rows: &[[Option<&[u8]>; 3]]) -> Vec<u8> {
    let mut out = b"PGCOPY\n\xFF\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for row in rows {
        out.extend_from_slice(&3_i16.to_be_bytes());
        for field in row {
            match field {
                Some(f) => {
                    out.extend_from_slice(&i32::try_from(f.len()).unwrap().to_be_bytes());
                    out.extend_from_slice(f);
                }
                None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            }
        }
    }
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    out
}

#[test]
fn binary_rows() {
    let id = 7_i64.to_be_bytes();
    let data = binary(&[
        [Some(&id), Some(b"jo@example.org"), Some(b"123")],
        [None, Some(b"x"), None],
    ]);
    let expected = binary(&[
        [Some(&id), Some(b"[masked:email]"), Some(b"[masked:us_ssn]")],
        [None, Some(b"x"), None],
    ]);
    for chunk in [1, 2, 5, 19, 1000] {
        assert_eq!(run("WITH (FORMAT binary)", &data, chunk).unwrap(), expected);
    }
}

#[test]
fn what_is_not_the_announced_format_is_refused_for_good() {
    let broken = |options: &str, data: &[u8]| run(options, data, 1000).unwrap_err();
    assert_eq!(
        broken("", b"1\t2\n"),
        CopyBroken::Columns {
            expected: 3,
            found: 2
        }
    );
    assert_eq!(
        broken("", b"1\t2\t3\t4\n"),
        CopyBroken::Columns {
            expected: 3,
            found: 4
        }
    );
    assert_eq!(broken("", b"1\t2\t3"), CopyBroken::Unfinished);
    assert_eq!(broken("WITH CSV", b"1,2\"x\",3\n"), CopyBroken::Format);
    assert_eq!(broken("WITH CSV", b"1,\"2\"x,3\n"), CopyBroken::Format);
    assert_eq!(
        broken("WITH (FORMAT binary)", b"1\t2\t3\n"),
        CopyBroken::Format
    );
    assert_eq!(
        broken(
            "WITH (FORMAT binary)",
            b"PGCOPY\n\xFF\r\n\0\0\x01\0\0\0\0\0\0"
        ),
        CopyBroken::Format
    );
    let mut masker = masker("");
    let (mut out, mut tally) = (Vec::new(), Tally::default());
    assert!(
        masker
            .push(b"1\t2\t3\n4\t5\n", &mut out, &mut tally)
            .is_err()
    );
    assert!(masker.push(b"1\t2\t3\n", &mut out, &mut tally).is_err());
    assert!(out.is_empty());
}

#[test]
fn columns_must_be_as_many_as_were_traced() {
    let catalogue = fixture::catalogue();
    let masked = fixture::masked(&catalogue);
    let new = |outputs: &Outputs| {
        let options = CopyOptions::of_format(CopyFormat::Text);
        CopyMasker::new(
            options,
            2,
            outputs,
            &masked,
            &|_| Reveal::Full,
            &DETECTOR,
            None,
        )
        .map(|_| ())
    };
    assert_eq!(
        new(&Outputs::Columns(Vec::new())),
        Err(Refused::Mismatch {
            described: 2,
            traced: 0
        })
    );
    assert_eq!(new(&Outputs::Unknown), Err(Refused::Untraced));
    assert_eq!(new(&Outputs::Unmasked), Ok(()));
}

#[test]
fn options_that_are_not_modelled_are_refused() {
    for sql in [
        "COPY t TO STDOUT (ENCODING 'latin1')",
        "COPY t TO STDOUT (DELIMITER 'ab')",
        "COPY t TO STDOUT (FORMAT parquet)",
        "COPY t TO STDOUT (surprise)",
        "COPY t TO STDOUT (HEADER match)",
    ] {
        assert!(options_of(sql).is_err(), "{sql}");
    }
    let csv = options_of("COPY t TO STDOUT WITH CSV QUOTE '|' HEADER").unwrap();
    assert_eq!((csv.quote, csv.escape, csv.header), (b'|', b'|', true));
    assert_eq!(
        options_of("COPY t TO STDOUT WITH BINARY").unwrap().format,
        CopyFormat::Binary
    );
    assert!(options_of("COPY t TO STDOUT (ENCODING 'UTF8', FORCE_QUOTE (a))").is_ok());
}

/// Neither what comes out nor whether it is refused depends on how the data arrived.
#[test]
fn fuzz_copy() {
    const OPTIONS: [&str; 5] = [
        "",
        "(FORMAT csv)",
        "(FORMAT csv, HEADER, QUOTE '''', ESCAPE '!', DELIMITER ';')",
        "(FORMAT binary)",
        "(DELIMITER '|', NULL 'none')",
    ];
    let mut fuzz = Fuzz::new("copy", env!("CARGO_MANIFEST_DIR")).words(&[
        "\t",
        "\n",
        "\r\n",
        "\\N",
        "\\.",
        "\\",
        "\"",
        "'",
        ",",
        ";",
        "|",
        "none",
        "219-09-9991",
        "a@b.example",
        "\\x41",
        "\\101",
    ]);
    let mut binary = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    binary.extend(b"\0\x03\0\0\0\x04\0\0\0\x01\0\0\0\x03ann\0\0\0\x0b219-09-9991\xff\xff");
    for (which, data) in [
        (0, &b"1\tann\t219-09-9991\n2\t\\N\t\\N\n"[..]),
        (1, b"1,\"a,\"\"b\",219-09-9991\n"),
        (2, b"id;name;ssn\n1;'a!';';219-09-9991\n"),
        (3, &binary),
        (4, b"1|none|219-09-9991\n"),
    ] {
        fuzz = fuzz.seed([&[which], data].concat());
    }
    fuzz.run(|input, rng| {
        let Some((which, data)) = input.split_first() else {
            return Ok(0);
        };
        let options = OPTIONS[usize::from(*which) % OPTIONS.len()];
        let play = |pieces: &[&[u8]]| {
            let mut masker = masker(options);
            let (mut out, mut tally) = (Vec::new(), Tally::default());
            let pushed = pieces
                .iter()
                .try_for_each(|part| masker.push(part, &mut out, &mut tally));
            let good = pushed.and_then(|()| masker.finish()).is_ok();
            (out, good)
        };
        let (whole, good) = play(&[data]);
        let (split, split_good) = play(&rng.pieces(data));
        let same = if good {
            whole == split
        } else {
            whole.starts_with(&split) || split.starts_with(&whole)
        };
        if same && good == split_good {
            Ok(digest((good, which % 5, whole.len().min(200))))
        } else {
            Err(format!("it depends on the split: {whole:?} {split:?}"))
        }
    });
}
