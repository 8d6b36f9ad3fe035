use arrow::array::{Int32Array, Int64Array, StringArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};

use super::super::schema::{map_entries, with_field_id};
use super::*;

fn field(name: &str, id: i32, data_type: DataType) -> Field {
    with_field_id(Field::new(name, data_type, true), id)
}

fn structure(fields: Vec<(Field, ArrayRef)>, nulls: Option<Vec<bool>>) -> ArrayRef {
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = fields.into_iter().unzip();
    Arc::new(StructArray::new(fields.into(), columns, nulls.map(NullBuffer::from)))
}

fn ints(values: Vec<Option<i32>>) -> ArrayRef {
    Arc::new(Int32Array::from(values))
}

fn texts(values: Vec<Option<&str>>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

fn list(element: Field, lengths: &[usize], values: ArrayRef, nulls: Option<Vec<bool>>) -> ArrayRef {
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    let nulls = nulls.map(NullBuffer::from);
    Arc::new(ListArray::new(Arc::new(element), offsets, values, nulls))
}

#[test]
fn e1_fields_are_found_by_id_whatever_they_are_called_and_wherever_they_stand() {
    let a = field("a", 2, DataType::Int32);
    let gone = field("gone", 9, DataType::Utf8);
    let values = structure(
        vec![(a, ints(vec![Some(1), None, Some(3)])), (gone, texts(vec![Some("x"); 3]))],
        Some(vec![true, true, false]),
    );
    let to = DataType::Struct(
        vec![field("new", 4, DataType::Utf8), field("b", 2, DataType::Int64)].into(),
    );
    let read = conformed(&values, &to, By::Id).unwrap();
    let read = read.as_struct();
    assert_eq!(read.data_type(), &to);
    assert_eq!((read.column(0).null_count(), read.is_null(2)), (3, true));
    let wide: &Int64Array = read.column(1).as_primitive();
    assert_eq!(wide.iter().collect::<Vec<_>>(), [Some(1), None, None]);
}

#[test]
fn e1_fields_in_lists_and_maps_are_found_by_id_too() {
    let inner = |name: &str| field(name, 5, DataType::Int32);
    let part =
        |name: &str| structure(vec![(inner(name), ints(vec![Some(1), None, Some(3)]))], None);
    let of = |name: &str| DataType::Struct(vec![inner(name)].into());
    let nulls = || Some(vec![true, false, true, true]);
    let old = list(field("array", 4, of("x")), &[1, 0, 0, 2], part("x"), nulls());
    let want = list(field("element", 4, of("y")), &[1, 0, 0, 2], part("y"), nulls());
    assert_eq!(&conformed(&old, want.data_type(), By::Id).unwrap(), &want);

    let map = |entries: &str, value: &str| -> ArrayRef {
        let key = field("key", 6, DataType::Utf8).with_nullable(false);
        let pair = [(key, texts(vec![Some("p"), Some("q"), Some("p")]))];
        let pairs = structure(
            [pair.into(), vec![(field("value", 7, of(value)), part(value))]].concat(),
            None,
        );
        let entries = Field::new(entries, pairs.data_type().clone(), false);
        let offsets = OffsetBuffer::from_lengths([2, 0, 1]);
        let nulls = Some(NullBuffer::from(vec![true, false, true]));
        let pairs = pairs.as_struct().clone();
        Arc::new(MapArray::new(Arc::new(entries), offsets, pairs, nulls, false))
    };
    let (old, want) = (map("map", "x"), map("key_value", "y"));
    assert_eq!(&conformed(&old, want.data_type(), By::Id).unwrap(), &want);
}

#[test]
fn a_required_field_takes_no_null_but_where_what_it_is_in_is_null() {
    let required = Field::new("a", DataType::Int32, false);
    let to = DataType::Struct(vec![required.clone()].into());
    let optional = Field::new("a", DataType::Int32, true);
    let of = |nulls| structure(vec![(optional.clone(), ints(vec![Some(1), None]))], Some(nulls));
    assert!(conformed(&of(vec![true, false]), &to, By::Name).is_ok());
    let error = conformed(&of(vec![true, true]), &to, By::Name).unwrap_err();
    assert_eq!((error.kind(), error.context("field")), (ErrorKind::InvalidData, Some("a")));

    let element = |null| Field::new("element", DataType::Int32, null);
    let to = DataType::List(Arc::new(element(false)));
    // The NULL stands in a list that is NULL itself.
    let values = ints(vec![Some(1), None, Some(2)]);
    let hidden =
        list(element(true), &[1, 1, 1], Arc::clone(&values), Some(vec![true, false, true]));
    let read = conformed(&hidden, &to, By::Name).unwrap();
    assert_eq!(read.as_list::<i32>().values().len(), 2);
    let bare = list(element(true), &[1, 1, 1], values, None);
    assert_eq!(conformed(&bare, &to, By::Name).unwrap_err().kind(), ErrorKind::InvalidData);
    // A slice sees its own rows only.
    assert!(conformed(&bare.slice(2, 1), &to, By::Name).is_ok());
}

#[test]
fn what_is_in_a_null_struct_is_null_whatever_stands_there() {
    let a = field("a", 2, DataType::Int32).with_nullable(false);
    let b = field("b", 3, DataType::Int32).with_nullable(false);
    let inner = structure(vec![(a, ints(vec![Some(1), Some(2)]))], None);
    let of_inner = field("inner", 4, inner.data_type().clone()).with_nullable(false);
    let outer = structure(
        vec![(of_inner, inner), (b, ints(vec![Some(3), Some(4)]))],
        Some(vec![true, false]),
    );
    let inner = DataType::Struct(vec![field("a", 2, DataType::Int32)].into());
    let to =
        DataType::Struct(vec![field("inner", 4, inner), field("b", 3, DataType::Int32)].into());
    let read = conformed(&outer, &to, By::Id).unwrap();
    let read = read.as_struct();
    let inner = read.column(0).as_struct();
    for column in [read.column(0), read.column(1), inner.column(0)] {
        assert_eq!((column.is_null(0), column.is_null(1)), (false, true));
    }
}

#[test]
fn statements_match_by_name_and_lose_nothing() {
    let named = |name: &str| Field::new(name, DataType::Int32, true);
    let to = Fields::from(vec![named("a"), named("b")]);
    let places = |names: &[&str]| {
        By::Name.places(&names.iter().map(|name| named(name)).collect::<Fields>(), &to)
    };
    assert_eq!(places(&["b", "a"]).unwrap(), [Some(1), Some(0)]);
    assert_eq!(places(&["b"]).unwrap(), [None, Some(0)]);
    assert_eq!(places(&["c0", "c1"]).unwrap(), [Some(0), Some(1)], "names of no one's own");
    for lossy in [&["a", "b", "c"] as &[_], &["c0"], &["c0", "c1", "c2"], &["A", "b"]] {
        assert_eq!(places(lossy).unwrap_err().kind(), ErrorKind::InvalidInput, "{lossy:?}");
    }
    let shapes = [
        DataType::Int32,
        DataType::new_list(DataType::Int32, true),
        DataType::Struct(to.clone()),
        DataType::Map(map_entries(named("key"), named("value")), false),
    ];
    let never = |from: &DataType, _: &DataType| {
        let message = from.to_string();
        if from.is_nested() { Err(Error::new(ErrorKind::InvalidInput, message)) } else { Ok(()) }
    };
    for from in &shapes {
        for to in shapes.iter().filter(|to| to.is_nested()) {
            let fits = check_conforms(from, to, &|a, b| match b.is_nested() {
                true => Err(Error::new(ErrorKind::InvalidInput, "other shape")),
                false => never(a, b),
            });
            assert_eq!(fits.is_ok(), from == to, "{from} {to}");
        }
    }
}

#[test]
fn a_file_without_nested_ids_is_refused_and_no_value_is_told() {
    let plain = Field::new("a", DataType::Int32, true);
    let values = structure(vec![(plain, ints(vec![Some(1)]))], None);
    let to = DataType::Struct(vec![field("a", 2, DataType::Int32)].into());
    assert_eq!(conformed(&values, &to, By::Id).unwrap_err().kind(), ErrorKind::Unsupported);

    let secret = structure(vec![(field("a", 2, DataType::Utf8), texts(vec![Some("Ada")]))], None);
    let error = conformed(&secret, &to, By::Id).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(!format!("{error} {error:?}").contains("Ada"), "{error:?}");
    let large: ArrayRef = Arc::new(UInt32Array::from(vec![u32::MAX]));
    assert!(conformed(&large, &DataType::Int32, By::Id).is_err());
}
