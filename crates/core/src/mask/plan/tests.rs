//! Plans from descriptions, lineage and decisions.

use super::*;
use crate::mask::classes::Classes;
use crate::mask::lineage::{OutputColumn, fixture};

fn column(relation: u32, attribute: i16, type_oid: u32, format: Format) -> RowColumn {
    RowColumn {
        relation,
        attribute,
        type_oid,
        type_modifier: -1,
        format,
    }
}

fn plan(columns: &[RowColumn], outputs: &Outputs, reveal: Reveal) -> Result<RowPlan, Refused> {
    let catalogue = fixture::catalogue();
    let masked = fixture::masked(&catalogue);
    let detector = Arc::new(Detector::new(&Classes::builtin()).unwrap());
    RowPlan::new(columns, outputs, &masked, &|_| reveal, &detector, None)
}

fn plain(n: usize) -> Outputs {
    Outputs::Columns(vec![OutputColumn::default(); n])
}

#[test]
fn masks_by_oid_even_when_lineage_says_nothing() {
    let plan = plan(
        &[column(fixture::CUSTOMERS, 4, 25, Format::Text)],
        &plain(1),
        Reveal::As(Form::Masked),
    )
    .unwrap();
    let mut out = Vec::new();
    assert_eq!(
        plan.cell(0, Some(b"123"), &mut out, &mut Tally::default()),
        Change::Bytes
    );
    assert_eq!(out, b"[masked:us_ssn]");
    assert_eq!(
        plan.cell(0, None, &mut out, &mut Tally::default()),
        Change::Same
    );
}

#[test]
fn masks_by_lineage_where_the_description_has_no_base_column() {
    let catalogue = fixture::catalogue();
    let field = fixture::masked(&catalogue)
        .field(fixture::CUSTOMERS, 3)
        .cloned()
        .unwrap();
    let outputs = Outputs::Columns(vec![OutputColumn {
        fields: vec![field],
        ..OutputColumn::default()
    }]);
    let plan = plan(
        &[column(0, 0, 25, Format::Text)],
        &outputs,
        Reveal::As(Form::Masked),
    )
    .unwrap();
    assert_eq!(plan.masks().count(), 1);
    assert!(!plan.pass_all());
}

#[test]
fn refuses_what_was_not_traced() {
    let columns = [column(0, 0, 25, Format::Text)];
    let masked = Reveal::As(Form::Masked);
    assert_eq!(
        plan(&columns, &Outputs::Unknown, masked).unwrap_err(),
        Refused::Untraced
    );
    assert_eq!(
        plan(&columns, &plain(2), masked).unwrap_err(),
        Refused::Mismatch {
            described: 1,
            traced: 2
        }
    );
    assert!(plan(&columns, &Outputs::Unmasked, masked).is_ok());
}

#[test]
fn passes_rows_without_anything_to_look_at() {
    let columns = [
        column(fixture::ORDERS, 1, 23, Format::Binary),
        column(fixture::CUSTOMERS, 4, 25, Format::Text),
    ];
    assert!(plan(&columns, &plain(2), Reveal::Full).unwrap().pass_all());
    assert!(
        !plan(&columns, &plain(2), Reveal::As(Form::Last4))
            .unwrap()
            .pass_all()
    );
}

#[test]
fn a_position_that_was_not_planned_is_null() {
    let plan = plan(&[], &plain(0), Reveal::Full).unwrap();
    assert_eq!(
        plan.cell(3, Some(b"x"), &mut Vec::new(), &mut Tally::default()),
        Change::Null
    );
}

#[test]
fn detectors_look_into_text_and_binary_numbers() {
    let cells: [(u32, Format, Vec<u8>, &[u8]); 4] = [
        (
            25,
            Format::Text,
            b"mail jo@example.org now".to_vec(),
            b"mail [masked:email] now",
        ),
        (
            20,
            Format::Binary,
            4111111111111111_i64.to_be_bytes().to_vec(),
            &[0; 8],
        ),
        (1700, Format::Text, b"4111111111111111".to_vec(), b"0"),
        (
            1700,
            Format::Binary,
            [4_i16, 3, 0, 0, 4111, 1111, 1111, 1111]
                .iter()
                .flat_map(|w| w.to_be_bytes())
                .collect(),
            &[0; 8],
        ),
    ];
    for (oid, format, value, expected) in cells {
        let plan = plan(&[column(0, 0, oid, format)], &plain(1), Reveal::Full).unwrap();
        let mut out = Vec::new();
        let mut tally = Tally::default();
        assert_eq!(
            plan.cell(0, Some(&value), &mut out, &mut tally),
            Change::Bytes,
            "{oid}"
        );
        assert_eq!((out.as_slice(), tally.masked.len()), (expected, 1), "{oid}");
    }
}

#[test]
fn detectors_look_into_arrays_and_json_in_both_formats() {
    let element = |out: &mut Vec<u8>, text: &[u8]| {
        out.extend_from_slice(&i32::try_from(text.len()).unwrap().to_be_bytes());
        out.extend_from_slice(text);
    };
    let array = |items: &[&[u8]]| {
        let mut out: Vec<u8> = [1_i32, 0, 25, 2, 1]
            .iter()
            .flat_map(|n| n.to_be_bytes())
            .collect();
        items.iter().for_each(|i| element(&mut out, i));
        out
    };
    let rows: [(u32, Format, Vec<u8>, Vec<u8>); 6] = [
        (
            1009,
            Format::Binary,
            array(&[b"x", b"jo@example.org"]),
            array(&[b"x", b"[masked:email]"]),
        ),
        (
            1009,
            Format::Text,
            b"{x,\"a jo@example.org\"}".to_vec(),
            b"{x,\"a [masked:email]\"}".to_vec(),
        ),
        (
            1231,
            Format::Text,
            b"{1,4111111111111111}".to_vec(),
            b"{}".to_vec(),
        ),
        (
            3802,
            Format::Binary,
            b"\x01{\"a\": 4111111111111111}".to_vec(),
            b"\x01{\"a\": \"[masked:payment_card]\"}".to_vec(),
        ),
        (
            3802,
            Format::Text,
            b"[\"jo@example.org\"]".to_vec(),
            b"[\"[masked:email]\"]".to_vec(),
        ),
        (
            114,
            Format::Text,
            b"[\"jo\\u0040example.org\"]".to_vec(),
            b"[\"[masked:email]\"]".to_vec(),
        ),
    ];
    for (oid, format, value, expected) in rows {
        let plan = plan(&[column(0, 0, oid, format)], &plain(1), Reveal::Full).unwrap();
        let mut out = Vec::new();
        assert_eq!(
            plan.cell(0, Some(&value), &mut out, &mut Tally::default()),
            Change::Bytes,
            "{oid}"
        );
        assert_eq!(out, expected, "{oid} {}", String::from_utf8_lossy(&out));
    }
}

#[test]
fn a_hit_in_a_binary_value_of_an_unknown_type_makes_it_null() {
    let plan = plan(
        &[column(0, 0, 90_000, Format::Binary)],
        &plain(1),
        Reveal::Full,
    )
    .unwrap();
    let cell = |value: &[u8]| plan.cell(0, Some(value), &mut Vec::new(), &mut Tally::default());
    assert_eq!(cell(b"\0\0\0\x0ejo@example.org\0"), Change::Null);
    assert_eq!(cell(b"happy"), Change::Same);
}
