// SPDX-License-Identifier: MPL-2.0
//! What Cargo cannot hold of docs/architecture.md: no ring of files in any crate, metas know no element, and no element
//! knows another. Cargo itself holds the arrows between crates.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, Item, ItemMod, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

/// Files that may import each other in a circle, at most.
const MOST_IN_A_RING: usize = 3;

/// A module's name below the crate's root; empty for the root itself.
type Module = Vec<String>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The `src` folders of all packages of the workspace.
fn sources() -> Vec<PathBuf> {
    let crates = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let packages = crates.chain(["cli", "."].map(|folder| root().join(folder)));
    packages.map(|package| package.join("src")).filter(|src| src.is_dir()).collect()
}

/// What one file imports, and what it hands on from others by `pub use`.
#[derive(Default)]
struct Imports {
    paths: Vec<Vec<String>>,
    doors: Vec<Vec<String>>,
    /// Modules that exist in tests only.
    tests: Vec<String>,
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && tokens_of(a).contains("test"))
}

fn tokens_of(attribute: &Attribute) -> String {
    attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default()
}

fn leaves(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            leaves(&path.tree, before, found);
            before.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, before, found)),
        UseTree::Glob(_) => found.push(before.clone()),
        UseTree::Name(_) | UseTree::Rename(_) => {
            let name = match tree {
                UseTree::Name(name) => &name.ident,
                UseTree::Rename(rename) => &rename.ident,
                _ => unreachable!("matched above"),
            };
            let own = if name == "self" { None } else { Some(name.to_string()) };
            found.push(before.iter().cloned().chain(own).collect());
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(i) => &i.attrs,
            Item::Impl(i) => &i.attrs,
            Item::Mod(i) => &i.attrs,
            Item::Use(i) => &i.attrs,
            _ => return visit::visit_item(self, item),
        };
        match item {
            Item::Mod(ItemMod { ident, content: None, .. }) if is_test(attributes) => {
                self.tests.push(ident.to_string())
            }
            _ if is_test(attributes) => {}
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let found = if matches!(item.vis, Visibility::Inherited) { &mut self.paths } else { &mut self.doors };
        leaves(&item.tree, &mut Vec::new(), found);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if names.len() > 1 && matches!(names[0].as_str(), "crate" | "self" | "super") {
            self.paths.push(names);
        }
        visit::visit_path(self, path);
    }
}

/// The files of one crate.
struct Crate {
    files: BTreeMap<Module, (PathBuf, Imports)>,
}

impl Crate {
    fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        Self::walk(src, &mut Vec::new(), &mut files);
        let tests: Vec<Module> = files
            .iter()
            .flat_map(|(at, (_, imports)): (&Module, &(PathBuf, Imports))| {
                imports.tests.iter().map(|name| [&at[..], std::slice::from_ref(name)].concat())
            })
            .collect();
        files.retain(|at, _| !tests.iter().any(|test| at.starts_with(test)));
        Self { files }
    }

    fn walk(folder: &Path, at: &mut Module, files: &mut BTreeMap<Module, (PathBuf, Imports)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                at.push(stem);
                Self::walk(&path, at, files);
                at.pop();
            } else if path.extension().is_some_and(|e| e == "rs") {
                let own = (!["mod", "lib", "main"].contains(&stem.as_str())).then_some(stem);
                let text = fs::read_to_string(&path).unwrap();
                let file = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                let mut imports = Imports::default();
                imports.visit_file(&file);
                files.insert(at.iter().cloned().chain(own).collect(), (path, imports));
            }
        }
    }

    /// The file in which a path that stands in `from` leads; through re-exports to where the item is defined.
    fn target(&self, from: &Module, path: &[String]) -> Option<Module> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (Module::new(), &path[1..]),
            "self" => (from.clone(), &path[1..]),
            "super" => {
                let up = path.iter().take_while(|s| *s == "super").count();
                (from[..from.len().checked_sub(up)?].to_vec(), &path[up..])
            }
            child if self.files.contains_key(&[&from[..], &[child.to_string()]].concat()) => (from.clone(), path),
            _ => return None,
        };
        while let Some(next) = rest.first() {
            let below = [&at[..], std::slice::from_ref(next)].concat();
            if self.files.contains_key(&below) {
                (at, rest) = (below, &rest[1..]);
                continue;
            }
            let doors = &self.files.get(&at)?.1.doors;
            if let Some(door) = doors.iter().find(|door| door.last() == Some(next) && door.len() > 1) {
                return self.target(&at, door).or(Some(at));
            }
            break;
        }
        Some(at)
    }

    /// Which files each file imports.
    fn edges(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let targets = |(from, (_, imports)): (&'_ Module, &'_ (PathBuf, Imports))| -> BTreeSet<Module> {
            let found = imports.paths.iter().filter_map(|path| self.target(from, path));
            found.filter(|to| to != from && self.files.contains_key(to)).collect()
        };
        self.files.iter().map(|(from, file)| (from, targets((from, file)))).collect()
    }

    /// Groups of files that import each other in a circle.
    fn rings(&self) -> Vec<BTreeSet<&Module>> {
        let edges = self.edges();
        let reached = |from: &Module| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(at) = next.pop() {
                next.extend(edges[&at].iter().filter(|to| seen.insert((*to).clone())).cloned());
            }
            seen
        };
        let reach: BTreeMap<&Module, BTreeSet<Module>> = edges.keys().map(|from| (*from, reached(from))).collect();
        let ring = |from: &Module| -> BTreeSet<&Module> {
            reach.keys().copied().filter(|to| reach[from].contains(*to) && reach[*to].contains(from)).collect()
        };
        let rings: BTreeSet<_> = reach.keys().map(|from| ring(from)).filter(|ring| ring.len() > 1).collect();
        rings.into_iter().collect()
    }
}

#[test]
fn no_more_than_three_files_import_each_other_in_a_circle() {
    for src in sources() {
        let all = Crate::read(&src);
        assert!(!all.files.is_empty(), "no source in {}", src.display());
        for ring in all.rings() {
            let names: Vec<_> = ring.iter().map(|at| at.join("::")).collect();
            assert!(names.len() <= MOST_IN_A_RING, "{}: these import each other: {names:?}", src.display());
        }
    }
}

#[test]
fn metas_know_no_element_and_elements_do_not_know_each_other() {
    let plugin = Crate::read(&root().join("src"));
    let element = |at: &Module| match at.as_slice() {
        [elements, name, ..] if elements == "elements" && root().join("src/elements").join(name).is_dir() => {
            Some(name.clone())
        }
        _ => None,
    };
    for (from, to) in plugin.edges().iter().flat_map(|(from, all)| all.iter().map(move |to| (*from, to))) {
        let is_meta = from.first().is_some_and(|m| m == "meta");
        assert!(!(is_meta && to.first().is_some_and(|m| m == "elements")), "{from:?} must not use {to:?}");
        if let (Some(one), Some(other)) = (element(from), element(to)) {
            assert_eq!(one, other, "{from:?} must not use {to:?}");
        }
    }
}

#[test]
fn the_plugin_is_built_without_the_program_s_libraries() {
    let needs = needed_by("gst-plugin-andon");
    assert!(needs.contains("gstreamer-base"), "{needs:?}");
    let program = ["clap", "clap_complete", "ratatui", "sd-notify", "maud", "indicatif", "comfy-table", "quick-junit"];
    for library in program.into_iter().chain(["andon-report", "andon-evaluate"]) {
        assert!(!needs.contains(library), "the plugin needs no {library}");
    }
}

#[test]
fn who_talks_to_a_line_needs_no_gstreamer_and_of_andon_only_the_core() {
    let needs = needed_by("andon-control");
    let ours: Vec<_> = needs.iter().filter(|name| name.starts_with("andon-")).map(String::as_str).collect();
    assert_eq!(ours, ["andon-control", "andon-core"]);
    let others: Vec<_> = needs.iter().filter(|name| name.starts_with("gst") || name.starts_with("glib")).collect();
    assert!(others.is_empty(), "{others:?}");
}

/// The names of all packages that a package of the workspace is built of, its own too.
fn needed_by(package: &str) -> BTreeSet<String> {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--offline", "--edges=normal", "--prefix=none", "--package", package]);
    let output = cargo.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    tree.lines().filter_map(|line| Some(line.split_once(' ')?.0.to_string())).collect()
}

#[test]
fn a_ring_and_a_door_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("lib.rs", "mod a; mod b; mod c; pub use b::B;");
    write("a.rs", "use crate::B; pub struct A(B); #[cfg(test)] mod tests { use crate::c; }");
    write("b.rs", "pub struct B; fn f() { super::c::g() }");
    write("c.rs", "use super::a::{self, A}; pub fn g() {}");
    let read = Crate::read(folder.path());
    let rings = read.rings();
    let names: Vec<Vec<_>> = rings.iter().map(|r| r.iter().map(|m| m.join("::")).collect()).collect();
    assert_eq!(names, [["a", "b", "c"]], "through the door to b, and not to the file that hands it on");
}
