// SPDX-License-Identifier: MPL-2.0
//! Tests of templates: decoding, the answer meanwhile, and what a changed part, file or folder does.

use std::{
    fs::{self, File},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use andon_core::{
    aside,
    image::Format,
    result::{Fields, Part},
};
use andon_model::Pattern;
use parking_lot::Mutex;

use super::{
    cache::{HUNG, MOST_KEPT, SLOW, State},
    file::FileError,
    *,
};
use crate::Cancel;

/// Longest that a test waits for the loader; only a hang gets there.
const LONG: Duration = Duration::from_secs(60);
/// How often it looks.
const GLANCE: Duration = Duration::from_millis(10);

/// A PNG of one colour, 6×4.
fn write(folder: &Path, name: &str, color: png::ColorType, depth: png::BitDepth, pixel: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(File::create(path).unwrap(), 6, 4);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette([9, 8, 7, 200, 100, 50].as_slice());
    }
    encoder.write_header().unwrap().write_image_data(&pixel.repeat(24)).unwrap();
}

fn grey(folder: &Path, name: &str, level: u8) {
    write(folder, name, png::ColorType::Grayscale, png::BitDepth::Eight, &[level]);
}

fn part(sku: &str) -> Part {
    Part { sku: sku.into(), ..Part::default() }
}

fn input() -> TemplateInput {
    TemplateInput::new(Pattern::parse("{sku}/{view}.png").unwrap())
}

/// The answer once the loader is done.
fn settled(input: &mut TemplateInput, templates: &Templates, sku: &str) -> Result<Arc<Template>, TemplateError> {
    let until = Instant::now() + LONG;
    loop {
        match input.find(Some(templates), Some(&part(sku)), &Fields::new(), None) {
            Err(TemplateError::Loading(_)) if Instant::now() < until => {
                let mut cache = templates.shared.cache.lock();
                templates.shared.changed.wait_for(&mut cache, GLANCE);
            }
            other => return other.cloned(),
        }
    }
}

/// Held while the disk of the product C does not answer.
static DEAD: Mutex<()> = Mutex::new(());

fn hang_on_c(path: &Path) -> Result<Template, FileError> {
    if path.parent().unwrap().ends_with("C") {
        drop(DEAD.lock());
    }
    Template::read(path)
}

/// Only one test at a time has a disk that does not answer.
static ONE: Mutex<()> = Mutex::new(());

/// Lets the reads under way be as old as that.
fn age(templates: &Templates, by: Duration) {
    let mut cache = templates.shared.cache.lock();
    cache.reading.iter_mut().for_each(|r| r.since = r.since.checked_sub(by).expect("the machine runs for longer"));
}

fn level(template: &Template) -> u8 {
    template.image().planes[0].data[0]
}

#[test]
fn a_frame_that_comes_before_its_template_is_told_so_and_the_next_ones_have_it() {
    let dir = tempfile::tempdir().unwrap();
    grey(dir.path(), "A/0.png", 40);
    let (templates, mut input) = (Templates::new(dir.path()), input());
    let early = input.find(Some(&templates), Some(&part("A")), &Fields::new(), None);
    assert_eq!(early.map(|t| t.id()).unwrap_err().to_string(), "template 'A/0.png' is still being read");
    let template = settled(&mut input, &templates, "A").unwrap();
    assert_eq!((template.image().width, template.image().height, level(&template)), (6, 4, 40));
    let again = settled(&mut input, &templates, "A").unwrap();
    assert_eq!(again.id(), template.id(), "the same picture under the same id");
}

#[test]
fn a_changed_sku_changes_the_template_and_the_way_back_finds_it_in_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    grey(dir.path(), "A/0.png", 40);
    grey(dir.path(), "B/0.png", 200);
    let (templates, mut input) = (Templates::new(dir.path()), input());
    let a = settled(&mut input, &templates, "A").unwrap();
    let b = settled(&mut input, &templates, "B").unwrap();
    assert_eq!((level(&a), level(&b)), (40, 200));
    let back = input.find(Some(&templates), Some(&part("A")), &Fields::new(), None).map(|t| t.id());
    assert_eq!(back, Ok(a.id()), "at once, without a frame unjudged");
}

#[test]
fn every_kind_of_png_becomes_eight_bits_of_grey_or_colour() {
    use png::{BitDepth as Depth, ColorType as Color};
    let dir = tempfile::tempdir().unwrap();
    type Kind = (Color, Depth, &'static [u8], Format, &'static [u8]);
    let kinds: [Kind; 7] = [
        (Color::Grayscale, Depth::Eight, &[77], Format::Gray8, &[77]),
        (Color::Grayscale, Depth::Sixteen, &[77, 200], Format::Gray8, &[77]),
        (Color::GrayscaleAlpha, Depth::Eight, &[77, 3], Format::Gray8, &[77]),
        (Color::Rgb, Depth::Eight, &[1, 2, 3], Format::Rgb, &[1, 2, 3]),
        (Color::Rgb, Depth::Sixteen, &[1, 0, 2, 0, 3, 0], Format::Rgb, &[1, 2, 3]),
        (Color::Rgba, Depth::Eight, &[1, 2, 3, 4], Format::Rgbx, &[1, 2, 3]),
        (Color::Indexed, Depth::Eight, &[1], Format::Rgb, &[200, 100, 50]),
    ];
    for (color, depth, pixel, format, expected) in kinds {
        write(dir.path(), "x.png", color, depth, pixel);
        let template = Template::read(&dir.path().join("x.png")).unwrap();
        let image = template.image();
        assert_eq!((image.format, image.width, image.height), (format, 6, 4), "{color:?} {depth:?}");
        assert_eq!(&image.planes[0].data[..expected.len()], expected, "{color:?} {depth:?}");
    }
}

#[test]
fn a_file_that_is_missing_or_broken_is_told_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    for (orientation, upright) in [(1, true), (6, false)] {
        let mut info = png::Info::with_size(6, 4);
        let entry = [0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
        info.exif_metadata = Some([b"II\x2a\0\x08\0\0\0\x01\0".as_slice(), &entry].concat().into());
        let path = dir.path().join("turned.png");
        let encoder = png::Encoder::with_info(File::create(&path).unwrap(), info).unwrap();
        encoder.write_header().unwrap().write_image_data(&[0; 24]).unwrap();
        let read = Template::read(&path).map(drop).map_err(|e| e.to_string());
        assert!(upright == read.is_ok() && (upright || read.unwrap_err().contains("mogrify -auto-orient")));
    }
    grey(dir.path(), "whole/0.png", 1);
    let bytes = fs::read(dir.path().join("whole/0.png")).unwrap();
    for (sku, content) in [("cut", &bytes[..bytes.len() / 2]), ("text", b"no picture"), ("empty", b"")] {
        fs::create_dir(dir.path().join(sku)).unwrap();
        fs::write(dir.path().join(sku).join("0.png"), content).unwrap();
    }
    let (templates, mut input) = (Templates::new(dir.path()), input());
    for (sku, word) in [
        ("none", "put the template there"),
        ("cut", "a template must be a whole PNG"),
        ("text", "a template must be a whole PNG"),
        ("empty", "a template must be a whole PNG"),
    ] {
        let reason = settled(&mut input, &templates, sku).map(|t| t.id()).unwrap_err().to_string();
        assert!(reason.contains(word) && reason.contains(&format!("{sku}/0.png")), "{sku}: {reason}");
    }
    assert!(settled(&mut input, &templates, "whole").is_ok(), "and the loader goes on");
}

#[test]
fn what_is_missing_is_found_once_it_is_there_and_not_looked_for_with_every_frame() {
    let dir = tempfile::tempdir().unwrap();
    let (templates, mut input) = (Templates::new(dir.path()), input());
    let retry = |at| {
        let mut cache = templates.shared.cache.lock();
        match &mut cache.entries.get_mut("A/0.png").unwrap().state {
            State::Failed { again, .. } => *again = at,
            _ => panic!("it had failed"),
        }
    };
    assert!(settled(&mut input, &templates, "A").is_err());
    grey(dir.path(), "A/0.png", 40);
    retry(Instant::now() + LONG);
    assert!(settled(&mut input, &templates, "A").is_err(), "not before the pause is over");
    assert!(templates.shared.cache.lock().queue.is_empty(), "the loader is left in peace until then");
    retry(Instant::now());
    let until = Instant::now() + LONG;
    while settled(&mut input, &templates, "A").is_err() {
        assert!(Instant::now() < until, "it is tried again");
        thread::yield_now();
    }
}

#[test]
fn a_reset_looks_for_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (templates, mut input) = (Templates::new(dir.path()), input());
    assert!(settled(&mut input, &templates, "A").is_err());
    grey(dir.path(), "A/0.png", 40);
    templates.reset();
    assert_eq!(level(&settled(&mut input, &templates, "A").unwrap()), 40);
}

#[test]
fn a_file_that_was_replaced_is_read_again_when_its_part_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    grey(dir.path(), "A/0.png", 40);
    grey(dir.path(), "B/0.png", 200);
    let (templates, mut input) = (Templates::new(dir.path()), input());
    settled(&mut input, &templates, "A").unwrap();
    settled(&mut input, &templates, "B").unwrap();
    write(dir.path(), "A/0.png", png::ColorType::Rgb, png::BitDepth::Eight, &[90, 91, 92]);
    let until = Instant::now() + LONG;
    while level(&settled(&mut input, &templates, "A").unwrap()) != 90 {
        assert!(Instant::now() < until, "the new one comes");
        let mut cache = templates.shared.cache.lock();
        templates.shared.changed.wait_for(&mut cache, GLANCE);
    }
}

#[test]
fn who_waits_gets_it_and_is_let_go_when_runs_are_ended() {
    let _one = ONE.lock();
    let Ok(cancel) = Cancel::new() else { panic!("this test needs ONNX Runtime: run `make setup`") };
    let dir = tempfile::tempdir().unwrap();
    grey(dir.path(), "A/0.png", 40);
    let (templates, mut input) = (Templates::new(dir.path()), input());
    let waited = input.find(Some(&templates), Some(&part("A")), &Fields::new(), Some(&cancel));
    assert_eq!(waited.map(|t| level(t)), Ok(40));
    let missing = input.find(Some(&templates), Some(&part("B")), &Fields::new(), Some(&cancel));
    assert!(
        missing.map(|t| t.id()).unwrap_err().to_string().contains("put the template there"),
        "what fails is not waited for"
    );

    // A disk that does not answer.
    grey(dir.path(), "C/0.png", 40);
    let (templates, _dead) = (Templates::with(dir.path(), aside::spawn, hang_on_c), DEAD.lock());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let found = input.find(Some(&templates), Some(&part("C")), &Fields::new(), Some(&cancel));
            found.map(|t| t.id())
        });
        let until = Instant::now() + LONG;
        while !templates.shared.cache.lock().entries.contains_key("C/0.png") {
            assert!(Instant::now() < until, "it asks");
            thread::yield_now();
        }
        assert!(!waiting.is_finished(), "it waits");
        cancel.terminate();
        assert_eq!(waiting.join().unwrap(), Err(TemplateError::Cancelled));
    });
}

#[test]
fn without_a_root_and_out_of_the_root_there_is_none() {
    let none = input().find(None, Some(&part("A")), &Fields::new(), None).map(|t| t.id()).unwrap_err().to_string();
    assert!(none.contains("image-root is not set"), "{none}");
    let nowhere = Templates::new("/nowhere/at/all");
    let reason = settled(&mut input(), &nowhere, "A").map(|t| t.id()).unwrap_err().to_string();
    assert!(reason.contains("set image-root"), "{reason}");
}

#[test]
fn a_disk_that_does_not_answer_holds_up_neither_other_templates_nor_who_frees_them() {
    let (_one, dir) = (ONE.lock(), tempfile::tempdir().unwrap());
    ["A", "B", "C"].iter().zip([40, 80, 120]).for_each(|(sku, level)| grey(dir.path(), &format!("{sku}/0.png"), level));
    let (templates, dead) = (Templates::with(dir.path(), aside::spawn, hang_on_c), DEAD.lock());
    let (mut first, mut second) = (input(), input());
    assert_eq!(level(&settled(&mut first, &templates, "A").unwrap()), 40);
    let ask = |input: &mut TemplateInput| {
        let found = input.find(Some(&templates), Some(&part("C")), &Fields::new(), None);
        found.map(|t| t.id()).unwrap_err().to_string()
    };
    let until = Instant::now() + LONG;
    // Before it, the reader may look once more whether A has changed.
    while !templates.shared.cache.lock().reading.iter().any(|r| r.key == "C/0.png") {
        assert_eq!(ask(&mut first), "template 'C/0.png' is still being read");
        assert!(Instant::now() < until, "it is being read");
        thread::yield_now();
    }
    // Another reader takes over, and the one that hangs is not asked twice.
    age(&templates, SLOW);
    assert_eq!(level(&settled(&mut second, &templates, "B").unwrap()), 80);
    age(&templates, HUNG);
    assert!(ask(&mut first).contains("C/0.png: is being read for 2"), "{}", ask(&mut first));
    assert!(!templates.shared.cache.lock().queue.iter().any(|key| key == "C/0.png"), "it is not read twice");
    // Who waits is told, too.
    let Ok(cancel) = Cancel::new() else { panic!("this test needs ONNX Runtime: run `make setup`") };
    let waited = first.find(Some(&templates), Some(&part("C")), &Fields::new(), Some(&cancel));
    assert!(waited.map(|t| t.id()).unwrap_err().to_string().contains("does its disk or share answer?"));
    // What comes late is as good as ever.
    drop(dead);
    let late = loop {
        match settled(&mut first, &templates, "C") {
            Ok(template) => break level(&template),
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        thread::yield_now();
    };
    assert_eq!(late, 120);

    let dead = DEAD.lock();
    let (templates, begun) = (Templates::with(dir.path(), aside::spawn, hang_on_c), Instant::now());
    let _ = first.find(Some(&templates), Some(&part("C")), &Fields::new(), None).map(|t| t.id());
    while templates.shared.cache.lock().reading.is_empty() {
        assert!(Instant::now() < until, "it is being read");
        thread::yield_now();
    }
    drop(templates);
    assert!(begun.elapsed() < LONG, "freeing them waits for nothing");
    drop(dead);
}

#[test]
fn a_thread_that_cannot_be_had_is_told_and_tried_again() {
    static GIVES: AtomicBool = AtomicBool::new(false);
    let dir = tempfile::tempdir().unwrap();
    grey(dir.path(), "A/0.png", 40);
    let spawn: aside::Spawn = |name, run| match GIVES.load(Ordering::SeqCst) {
        true => aside::spawn(name, run),
        false => Err(std::io::ErrorKind::WouldBlock.into()),
    };
    let (templates, mut input) = (Templates::with(dir.path(), spawn, Template::read), input());
    let refused = settled(&mut input, &templates, "A").map(|t| t.id()).unwrap_err().to_string();
    assert!(refused.starts_with("no thread to read templates with"), "{refused}");
    GIVES.store(true, Ordering::SeqCst);
    let until = Instant::now() + LONG;
    while settled(&mut input, &templates, "A").is_err() {
        assert!(Instant::now() < until, "it is tried again");
        thread::yield_now();
    }
}

#[cfg(unix)]
#[test]
fn a_fifo_is_no_template_and_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("A")).unwrap();
    let path = std::ffi::CString::new(dir.path().join("A/0.png").to_str().unwrap()).unwrap();
    // SAFETY: the path is a text that ends with a NUL and outlives the call.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    let reason = settled(&mut input(), &Templates::new(dir.path()), "A").map(|t| t.id()).unwrap_err().to_string();
    assert!(reason.contains("is a FIFO"), "{reason}");
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_root_is_refused() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    grey(outside.path(), "0.png", 40);
    std::os::unix::fs::symlink(outside.path(), dir.path().join("A")).unwrap();
    let templates = Templates::new(dir.path());
    let reason = settled(&mut input(), &templates, "A").map(|t| t.id()).unwrap_err().to_string();
    assert!(reason.contains("lies outside of image-root"), "{reason}");
}

#[test]
fn the_cache_is_bounded_and_keeps_what_was_used_last() {
    let dir = tempfile::tempdir().unwrap();
    let (templates, mut input) = (Templates::new(dir.path()), input());
    for n in 0..MOST_KEPT + 10 {
        grey(dir.path(), &format!("{n}/0.png"), 1);
        settled(&mut input, &templates, &n.to_string()).unwrap();
    }
    let cache = templates.shared.cache.lock();
    assert!(cache.entries.len() <= MOST_KEPT, "{}", cache.entries.len());
    assert!(cache.entries.contains_key(&format!("{}/0.png", MOST_KEPT + 9)) && !cache.entries.contains_key("0/0.png"));
}
