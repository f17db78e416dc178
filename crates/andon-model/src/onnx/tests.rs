// SPDX-License-Identifier: MPL-2.0
//! Graphs made by hand, field by field, with files named in every place where one can be.

use super::{wire::write, *};

/// A message with these fields.
fn message(fields: &[(u32, &[u8])]) -> Vec<u8> {
    let mut message = Vec::new();
    fields.iter().for_each(|(number, bytes)| write(*number, bytes, &mut message));
    message
}

/// A field that is a number below 128.
fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    message(&[(13, &message(&[(1, key.as_bytes()), (2, value)]))])
}

/// A tensor `w` of three float32 with these entries and more.
fn tensor(entries: &[(&str, &[u8])], more: &[u8]) -> Vec<u8> {
    let mut tensor = [message(&[(8, b"w")]), number(1, 3), number(2, 1), more.to_vec()].concat();
    entries.iter().for_each(|(key, value)| tensor.extend(entry(key, value)));
    tensor
}

/// Where a tensor can be, with the fields that lead there from the model; the last is the tensor's.
const EVERYWHERE: &[(&str, &[u32])] = &[
    ("a weight", &[7, 5]),
    ("a sparse weight's values", &[7, 15, 1]),
    ("a sparse weight's indices", &[7, 15, 2]),
    ("a constant", &[7, 1, 5, 5]),
    ("one of a constant's tensors", &[7, 1, 5, 10]),
    ("a sparse constant", &[7, 1, 5, 22, 1]),
    ("one of a constant's sparse tensors", &[7, 1, 5, 23, 2]),
    ("a weight of a sub-graph", &[7, 1, 5, 6, 5]),
    ("a weight of one of the sub-graphs", &[7, 1, 5, 11, 5]),
    ("a constant in a sub-graph of a sub-graph", &[7, 1, 5, 6, 1, 5, 6, 1, 5, 5]),
    ("a constant of a function", &[25, 7, 5, 5]),
    ("a default of a function's attribute", &[25, 11, 5]),
    ("what training begins with", &[20, 1, 5]),
    ("what training does", &[20, 2, 1, 5, 5]),
];

/// The model that has a tensor there.
fn at(path: &[u32], tensor: &[u8]) -> Vec<u8> {
    path.iter().rev().fold(tensor.to_vec(), |inner, number| message(&[(*number, &inner)]))
}

fn problem(graph: &[u8]) -> String {
    match outside(graph).unwrap_err() {
        Fault::Weights { tensor, problem } => format!("{tensor} {problem}"),
        Fault::NotAGraph(problem) => problem,
        Fault::Other(problem) => problem.into(),
        Fault::Compiled => "compiled".into(),
    }
}

#[test]
fn a_file_is_found_wherever_the_graph_names_it_and_put_into_the_graph_but_for_large_weights() {
    let file = b"0123456789abcdef";
    let content = |name: &str| (name == "w.bin").then_some(&file[..]);
    for (place, path) in EVERYWHERE {
        // Whatever is said of where it lies: that it is outside, that it is not, or nothing.
        for location in [number(14, 1), number(14, 0), vec![]] {
            let outer = at(path, &tensor(&[("location", b"w.bin"), ("offset", b"2"), ("length", b"12")], &location));
            let found = outside(&outer).unwrap();
            let needed = Needed { bytes: 14, tensor: "'w'".into() };
            assert_eq!(found.files, BTreeMap::from([("w.bin".to_string(), needed)]), "{place}");
            assert!(found.inner, "{place}");
            let new = inlined(&outer, &content).unwrap();
            let inner = [tensor(&[], &[]), message(&[(9, b"23456789abcd")])].concat();
            assert_eq!(new, at(path, &inner), "{place}");
            assert_eq!(outside(&new), Ok(Outside::default()), "{place}");
        }
        let e = problem(&at(path, &tensor(&[("location", b"/etc/passwd")], &[])));
        assert!(e.starts_with("'w' name a file by an absolute path ('/etc/passwd')"), "{place}: {e}");
        // Large ones.
        let large = at(path, &[message(&[(1, &[0x80, 2])]), number(2, 1), entry("location", b"w.bin")].concat());
        assert_eq!(outside(&large).unwrap().files["w.bin"].bytes, 1024);
        let larger = at(path, &[message(&[(1, &[0x81, 2])]), number(2, 1), entry("location", b"w.bin")].concat());
        let main = *path == [7, 5];
        assert_eq!(outside(&larger).unwrap().inner, !main, "{place}");
        let new = inlined(&larger, &|_| Some(&[0; 1028])).unwrap();
        assert_eq!(new == larger, main, "{place}");
    }
}

#[test]
fn where_weights_lie_has_one_reading_or_is_refused() {
    let raw = message(&[(9, b"0123456789ab")]);
    let huge = [vec![8], vec![0xff; 8], vec![0x7f]].concat();
    type Row<'a> = (&'a [(&'a str, &'a [u8])], &'a [u8], &'a str);
    let rows: &[Row<'_>] = &[
        (&[], &[0x70, 1], "lie in a file of their own that is not named"),
        (&[("location", b"")], &[], "not named"),
        (&[("location", b"../w")], &[], "outside by '..' ('../w')"),
        (&[("location", b"a/b/../../../w")], &[], "outside by '..'"),
        (&[("location", b"a\\..\\w")], &[], r"'\' in its path"),
        (&[("location", b"C:w")], &[], "absolute path ('C:w')"),
        (&[("location", b"a/")], &[], "a folder ('a/')"),
        (&[("location", b".")], &[], "a folder ('.')"),
        (&[("location", b"w\0.bin")], &[], r"a control character in its name ('w\u{0}.bin')"),
        (&[("location", b"w\x1b[2J")], &[], "a control character"),
        (&[("location", b"w\xff")], &[], "not UTF-8"),
        (&[("location", b"*/_ORT_MEM_ADDR_/*")], &[], "an address in memory"),
        (&[("location", &[b'a'; 5000])], &[], "a path of 5000 bytes"),
        (&[("location", b"w"), ("location", b"v")], &[], "the entry 'location' twice"),
        (&[("location", b"w"), ("prepacked_1", b"")], &[], "an entry 'prepacked_1'"),
        (&[("location", b"w"), ("offset", b"-4")], &[], "'-4' for offset"),
        (&[("location", b"w"), ("offset", b"+4")], &[], "'+4' for offset"),
        (&[("location", b"w"), ("offset", b"0x4")], &[], "'0x4' for offset"),
        (&[("location", b"w"), ("offset", b"")], &[], "'' for offset"),
        (&[("location", b"w"), ("offset", b"99999999999999999999")], &[], "for offset"),
        (&[("location", b"w"), ("offset", b"9223372036854775807")], &[], "behind the end"),
        (&[("location", b"w"), ("length", b"11")], &[], "11 bytes by their entry 'length' and 12 by their shape"),
        (&[("location", b"w"), ("length", b"0")], &[], "0 bytes by their entry"),
        (&[("location", b"w")], &raw, "lie in the graph and in the file 'w'"),
        (&[("location", b"w")], &[0x10, 8], "two types of numbers"),
        (&[("location", b"w")], &huge, "a shape that no tensor can have"),
        (&[("location", b"w")], &[8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1], "a shape that no"),
        (&[("a", &b""[..]); 17], &[], "more than 16 entries"),
    ];
    for (entries, more, said) in rows {
        let e = problem(&at(&[7, 5], &tensor(entries, more)));
        assert!(e.contains(said), "{entries:?}: {e}");
    }
    let of_kind = |kind: u8| {
        let plain = [number(1, 3), number(2, kind), entry("location", b"w")].concat();
        outside(&at(&[7, 5], &plain)).map(|o| o.files["w"].bytes)
    };
    for (kind, bytes) in [(1, 12), (3, 3), (10, 6), (11, 24), (15, 48), (16, 6), (17, 3), (22, 2), (23, 2), (26, 1)] {
        assert_eq!(of_kind(kind), Ok(bytes), "type {kind}");
    }
    for kind in [0, 8, 27, 99] {
        assert!(of_kind(kind).is_err(), "type {kind}");
    }
    // An axis of zero, and axes that are packed.
    let packed = [message(&[(1, &[2, 3])]), number(2, 1), entry("location", b"a/./w")].concat();
    assert_eq!(outside(&at(&[7, 5], &packed)).unwrap().files["a/./w"].bytes, 24);
    let none = [number(1, 0), number(2, 1), entry("location", b"w")].concat();
    assert_eq!(outside(&at(&[7, 5], &none)).unwrap().files["w"].bytes, 0);
    // The order of the two fields of an entry does not matter.
    let swapped = message(&[(13, &message(&[(2, b"/etc/passwd"), (1, b"location")]))]);
    assert!(problem(&at(&[7, 5], &tensor(&[], &swapped))).contains("/etc/passwd"));
}

#[test]
fn what_is_no_graph_is_an_error_without_a_panic_and_without_much_memory() {
    let place: &[(&str, &[u8])] = &[("location", b"w.bin"), ("offset", b"2"), ("length", b"12")];
    let whole = at(&[7, 1, 5, 6, 5], &tensor(place, &[]));
    assert!((1..whole.len()).all(|n| outside(&whole[..n]).is_err()), "cut anywhere");
    for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut bent = whole.clone();
        bent[at] ^= 1 << bit;
        let _ = outside(&bent).map(|_| inlined(&bent, &|_| Some(b"")));
    }
    let deep = (0..400).fold(Vec::new(), |inner, n| message(&[([6, 5, 1][n % 3], &inner)]));
    assert!(problem(&message(&[(7, &message(&[(1, &message(&[(5, &deep)]))]))])).contains("nested more than 100 deep"));
    let pieces = message(&[(7, b""), (7, b"")]);
    assert!(problem(&pieces).contains("written in two pieces (field 7)"));
    assert!(problem(&[0x38, 1]).contains("its field 7 is of another kind"));
    // Two bytes a node: whoever makes a structure of each needs fifty times as much.
    let nodes = message(&[(7, &[0x0a, 0].repeat(1 << 22))]);
    assert_eq!(outside(&nodes), Ok(Outside::default()));
    for (bytes, said) in [
        (&b""[..], "empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"\x20\0\0\0ORTM", ".onnx"),
    ] {
        assert!(problem(bytes).contains(said), "{said}");
    }
}

#[test]
fn what_a_provider_has_compiled_must_lie_in_the_graph() {
    let attribute = |name: &[u8], value: &[u8]| message(&[(5, &[message(&[(1, name)]), value.to_vec()].concat())]);
    let of = |attributes: &[Vec<u8>]| {
        let node = [message(&[(4, b"EPContext"), (7, b"com.microsoft")]), attributes.concat()].concat();
        outside(&at(&[7, 1], &node))
    };
    let context = attribute(b"ep_cache_context", &message(&[(4, b"/etc/passwd")]));
    assert_eq!(of(std::slice::from_ref(&context)), Ok(Outside::default()), "the bytes themselves, for embed_mode is 1");
    assert_eq!(of(&[attribute(b"embed_mode", &number(3, 1)), context.clone()]), Ok(Outside::default()));
    assert_eq!(of(&[attribute(b"embed_mode", &number(3, 0)), context.clone()]), Err(Fault::Compiled));
    let original = attribute(b"onnx_model_filename", &message(&[(4, b"other.onnx")]));
    assert_eq!(of(&[context, original]), Err(Fault::Compiled));
}
