// SPDX-License-Identifier: MPL-2.0
//! Signatures: signed models are accepted; unsigned, altered and foreign ones are refused, each with its own error.

mod common;

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use andon_model::{self as model, Error, Source, Store, Trust, store::Note};
use common::{arg, bundle, fails, graph, ok, root};

/// A folder with two key pairs: ours, and one that is not trusted.
struct Keys {
    dir: tempfile::TempDir,
}

impl Keys {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["ours", "stranger"] {
            ok(&["model", "keygen", arg(&dir.path().join(name)), "--no-password"]);
        }
        Self { dir }
    }

    fn at(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn sign(&self, bundle: &Path, by: &str) {
        ok(&["model", "sign", arg(bundle), "--key", arg(&self.at(&format!("{by}.key")))]);
    }

    /// Our signature of any content, as the program minisign makes it.
    fn minisign(&self, content: &[u8]) -> String {
        let key = minisign::SecretKeyBox::from_string(&fs::read_to_string(self.at("ours.key")).unwrap()).unwrap();
        let key = key.into_unencrypted_secret_key().unwrap();
        minisign::sign(None, &key, Cursor::new(content), None, None).unwrap().into_string()
    }

    /// A bundle of version 1, signed by us.
    fn signed(&self) -> PathBuf {
        let bundle = bundle(self.dir.path(), "1", "graph 1");
        self.sign(&bundle, "ours");
        bundle
    }

    fn open(&self, model: &Path) -> Result<Source, Error> {
        model::open_trusted(arg(model), &Trust::read(&self.at("ours.pub")).unwrap())
    }

    /// Writes a policy by which the store accepts only models that we signed.
    fn policy(&self, more: &str) -> PathBuf {
        let key = fs::read_to_string(self.at("ours.pub")).unwrap().lines().nth(1).unwrap().to_string();
        let store = self.at("store");
        fs::create_dir_all(&store).unwrap();
        fs::write(store.join("policy.json"), format!("{{\"trusted_keys\": [\"{key}\"]{more}}}")).unwrap();
        store
    }
}

#[test]
fn what_we_signed_is_taken_and_says_by_whom() {
    let keys = Keys::new();
    let bundle = keys.signed();
    let source = keys.open(&bundle).unwrap();
    let key = fs::read_to_string(keys.at("ours.pub")).unwrap().lines().nth(1).unwrap().to_string();
    assert_eq!(source.signed_by.as_deref(), Some(&*key));
    let said = ok(&["model", "verify", arg(&bundle), "--keys", arg(&keys.at("ours.pub"))]);
    assert!(said.contains(&key), "{said}");
    // One of several keys is enough.
    let both = ["stranger.pub", "ours.pub"].map(|f| fs::read_to_string(keys.at(f)).unwrap()).concat();
    fs::write(keys.at("both"), both).unwrap();
    ok(&["model", "verify", arg(&bundle), "--keys", arg(&keys.at("both"))]);
}

#[test]
fn what_is_not_signed_is_refused_and_told_how_it_would_be() {
    let keys = Keys::new();
    let e = keys.open(&bundle(keys.dir.path(), "1", "graph 1")).unwrap_err();
    assert!(matches!(&e, Error::Unsigned { .. }) && e.to_string().contains("model.json.minisig"), "{e}");
}

#[test]
fn what_a_stranger_signed_is_refused() {
    let keys = Keys::new();
    let bundle = keys.signed();
    keys.sign(&bundle, "stranger");
    let e = keys.open(&bundle).unwrap_err();
    assert!(matches!(&e, Error::UntrustedKey { .. }) && e.to_string().contains("trusted keys"), "{e}");
    let e = fails(1, &["model", "verify", arg(&bundle), "--keys", arg(&keys.at("ours.pub"))]);
    assert!(e.contains("signed by a key that is not trusted"), "{e}");
}

#[test]
fn whatever_is_altered_is_refused_by_the_file_that_was() {
    let keys = Keys::new();
    let change = |change: &dyn Fn(&Path)| {
        let bundle = keys.signed();
        keys.open(&bundle).unwrap();
        change(&bundle);
        let e = keys.open(&bundle).unwrap_err();
        fs::remove_dir_all(&bundle).unwrap();
        assert!(matches!(e, Error::Altered { .. }), "{e}");
        e.to_string()
    };
    let write = |file: &'static str, text: &'static str| {
        move |bundle: &Path| {
            fs::create_dir_all(bundle.join(file).parent().unwrap()).unwrap();
            fs::write(bundle.join(file), text).unwrap();
        }
    };
    let e = change(&write("model.onnx", "graph 2"));
    assert!(e.contains("model.onnx: was altered"), "{e}");
    let e = change(&write("golden/a.png", "another picture"));
    assert!(e.contains("golden/a.png: was altered"), "{e}");
    let e = change(&write("model.onnx.data", "weights that nobody signed"));
    assert!(e.contains("model.onnx.data: was altered: it is not among the digests"), "{e}");
    let e = change(&|bundle| {
        let text = fs::read_to_string(bundle.join("model.json")).unwrap();
        fs::write(bundle.join("model.json"), text.replace("\"open\"", "\"opem\"")).unwrap();
    });
    assert!(e.contains("model.json: was altered: its content is not what was signed"), "{e}");
    // Fitting digests do not help: the digests are signed.
    let e = change(&|bundle| {
        fs::write(bundle.join("model.onnx"), graph("graph 2")).unwrap();
        ok(&["model", "digest", arg(bundle)]);
    });
    assert!(e.contains("model.json: was altered"), "{e}");
}

#[test]
fn a_signature_that_is_cut_short_or_nonsense_is_refused_as_such() {
    let keys = Keys::new();
    let bundle = keys.signed();
    let at = bundle.join("model.json.minisig");
    let whole = fs::read(&at).unwrap();
    for length in (0..whole.len() - 1).step_by(7) {
        fs::write(&at, &whole[..length]).unwrap();
        let e = keys.open(&bundle).unwrap_err();
        assert!(matches!(e, Error::Signature { .. } | Error::Altered { .. }), "{length} bytes: {e}");
    }
    fs::write(&at, [0xff; 300]).unwrap();
    let e = keys.open(&bundle).unwrap_err();
    assert!(matches!(&e, Error::Signature { .. }) && e.to_string().contains("sign again"), "{e}");
    // One bit of the signature, of the comment that is signed with it, or of the second signature.
    for line in 1..4 {
        let mut text: Vec<_> = String::from_utf8(whole.clone()).unwrap().lines().map(String::from).collect();
        let last = text[line].pop().unwrap();
        let before = text[line].pop().unwrap();
        text[line].extend([if before == 'A' { 'B' } else { 'A' }, last]);
        fs::write(&at, text.join("\n")).unwrap();
        assert!(matches!(keys.open(&bundle), Err(Error::Altered { .. } | Error::Signature { .. })), "line {line}");
    }
}

#[test]
fn a_bundle_is_signed_only_with_the_digests_of_all_its_files() {
    let keys = Keys::new();
    let bundle = bundle(keys.dir.path(), "1", "graph 1");
    fs::write(bundle.join("notes.txt"), "").unwrap();
    let e = fails(1, &["model", "sign", arg(&bundle), "--key", arg(&keys.at("ours.key"))]);
    assert!(e.contains("do not match its files") && e.contains("andon model digest"), "{e}");
    ok(&["model", "digest", arg(&bundle)]);
    keys.sign(&bundle, "ours");
    keys.open(&bundle).unwrap();
}

#[test]
fn a_bare_file_needs_a_signature_of_its_own() {
    let keys = Keys::new();
    let file = keys.at("model.onnx");
    fs::write(&file, graph("a graph")).unwrap();
    assert!(matches!(keys.open(&file), Err(Error::Unsigned { .. })));
    keys.sign(&file, "ours");
    keys.open(&file).unwrap();
    fs::write(keys.at("model.onnx.modelinfo"), "[modelinfo]\nversion=1.0\n").unwrap();
    let e = keys.open(&file).unwrap_err();
    assert!(matches!(&e, Error::Unsigned { path, .. } if path.ends_with("model.onnx.modelinfo")), "{e}");
    fs::remove_file(keys.at("model.onnx.modelinfo")).unwrap();
    fs::write(&file, graph("another graph")).unwrap();
    assert!(matches!(keys.open(&file), Err(Error::Altered { .. })));
    // Weights in another file would run unsigned.
    let outside = root().join("tests/data/outside.onnx");
    fs::copy(outside, &file).unwrap();
    fs::copy(root().join("tests/data/outside.onnx.data"), keys.at("outside.onnx.data")).unwrap();
    let e = fails(1, &["model", "sign", arg(&file), "--key", arg(&keys.at("ours.key"))]);
    assert!(e.contains("make it a bundle with `andon model init"), "{e}");
    fs::write(keys.at("model.onnx.minisig"), keys.minisign(&fs::read(&file).unwrap())).unwrap();
    let e = keys.open(&file).unwrap_err();
    assert!(matches!(&e, Error::Altered { .. }) && e.to_string().contains("make it a bundle"), "{e}");
}

#[test]
fn a_stores_policy_holds_without_anybody_asking() {
    let keys = Keys::new();
    let store = keys.policy("");
    let unsigned = bundle(keys.dir.path(), "2", "graph 2");
    let e = fails(1, &["model", "add", "--no-run", arg(&unsigned), arg(&store)]);
    assert!(e.contains("is not signed"), "{e}");
    ok(&["model", "add", "--no-run", arg(&keys.signed()), arg(&store)]);
    let pcb = store.join("pcb");
    ok(&["model", "promote", arg(&pcb), "1"]);
    let champion = format!("{}@champion", pcb.display());
    assert!(model::open(&champion).unwrap().signed_by.is_some());
    fs::write(pcb.join("1/model.onnx"), graph("graph 2")).unwrap();
    assert!(matches!(model::open(&champion), Err(Error::Altered { .. })));
    assert!(matches!(model::open(arg(&pcb.join("1"))), Err(Error::Altered { .. })), "by its folder, too");
    assert!(matches!(model::open(arg(&pcb.join("1/model.onnx"))), Err(Error::Unsigned { .. })), "and by its graph");
    // Looking at an unsigned model is allowed.
    fs::remove_file(pcb.join("1/model.json.minisig")).unwrap();
    fs::write(pcb.join("1/model.onnx"), graph("graph 1")).unwrap();
    assert!(matches!(model::open(&champion), Err(Error::Unsigned { .. })));
    assert_eq!(model::inspect(&champion).unwrap().id.version, "1");
    assert!(ok(&["model", "show", &champion]).contains("pcb, version 1"));
    // A policy may accept models without a signature, but never one with a wrong signature.
    keys.policy(", \"require_signature\": false");
    assert_eq!(model::open(&champion).unwrap().signed_by, None);
    keys.sign(&pcb.join("1"), "stranger");
    assert!(matches!(model::open(&champion), Err(Error::UntrustedKey { .. })));
}

#[test]
fn an_old_signed_version_in_a_new_ones_place_is_refused_and_audited() {
    let keys = Keys::new();
    let store = keys.policy("");
    ok(&["model", "add", "--no-run", arg(&keys.signed()), arg(&store)]);
    let second = bundle(keys.dir.path(), "2", "graph 2");
    keys.sign(&second, "ours");
    ok(&["model", "add", "--no-run", arg(&second), arg(&store)]);
    let pcb = store.join("pcb");
    ok(&["model", "promote", arg(&pcb), "2"]);
    // An alias changed by an editor: the model opens, for version 1 is signed, and the audit finds the change.
    let aliases = fs::read_to_string(pcb.join("aliases.json")).unwrap();
    fs::write(pcb.join("aliases.json"), aliases.replace('2', "1")).unwrap();
    assert_eq!(model::open(&format!("{}@champion", pcb.display())).unwrap().id.version, "1");
    for command in ["list", "history"] {
        let said = ok(&["model", command, arg(&pcb)]);
        assert!(said.contains("champion is 1 in aliases.json, and 2 in the history"), "{said}");
    }
    let said = common::andon(&["model", "audit", arg(&pcb)]).output().unwrap();
    assert_eq!(said.status.code(), Some(1));
    assert!(common::out(&said).contains("was changed by hand"), "{}", common::out(&said));
    fs::write(pcb.join("aliases.json"), aliases).unwrap();
    ok(&["model", "audit", arg(&store)]);
    // A folder moved by hand: its signature is good, but it is in the place of another version.
    fs::rename(pcb.join("2"), keys.at("taken")).unwrap();
    fs::rename(pcb.join("1"), pcb.join("2")).unwrap();
    let e = model::open(&format!("{}@champion", pcb.display())).unwrap_err();
    assert!(matches!(&e, Error::Altered { .. }) && e.to_string().contains("signed as version 1 of pcb"), "{e}");
}

#[test]
fn signing_after_adding_brings_the_signature_into_the_store() {
    let keys = Keys::new();
    let folder = bundle(keys.dir.path(), "1", "graph 1");
    let store = Store::for_bundle(&keys.at("store"), &folder).unwrap();
    store.add(&folder, &Note::default()).unwrap();
    keys.policy("");
    let version = store.folder().join("1");
    assert!(matches!(model::open(arg(&version)), Err(Error::Unsigned { .. })));
    keys.sign(&folder, "ours");
    store.add(&folder, &Note::default()).unwrap();
    assert!(model::open(arg(&version)).unwrap().signed_by.is_some());
}

#[test]
fn a_secret_key_is_its_owners_alone_and_is_never_overwritten() {
    let keys = Keys::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(keys.at("ours.key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let e = fails(1, &["model", "keygen", arg(&keys.at("ours")), "--no-password"]);
    assert!(e.contains("exists already"), "{e}");
    let protected = |words: &[&str], password: &str| {
        let mut command = common::andon(words);
        command.env("ANDON_KEY_PASSWORD", password).output().unwrap()
    };
    assert!(protected(&["model", "keygen", arg(&keys.at("safe"))], "secret").status.success());
    let bundle = bundle(keys.dir.path(), "1", "graph 1");
    let safe = keys.at("safe.key");
    let sign = ["model", "sign", arg(&bundle), "--key", arg(&safe)];
    let wrong = protected(&sign, "guessed");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(common::err(&wrong).contains("is the password right?"), "{}", common::err(&wrong));
    assert!(protected(&sign, "secret").status.success());
    ok(&["model", "verify", arg(&bundle), "--keys", arg(&keys.at("safe.pub"))]);
}

#[test]
fn without_a_terminal_a_key_is_made_only_if_its_password_is_told() {
    let keys = Keys::new();
    // A session of its own has no terminal, whatever runs this test.
    let run = |words: &[&str]| {
        let program = common::andon(words);
        let mut command = std::process::Command::new("setsid");
        command.arg("--wait").arg(program.get_program()).args(program.get_args()).env_remove("ANDON_KEY_PASSWORD");
        command.stdin(std::process::Stdio::null()).output().unwrap()
    };
    let (safe, password) = (keys.at("safe"), keys.at("password"));
    let keygen = ["model", "keygen", arg(&safe)];
    let refused = run(&keygen);
    let e = common::err(&refused);
    assert_eq!(refused.status.code(), Some(2), "{e}");
    for way in ["there is no terminal", "set ANDON_KEY_PASSWORD", "--password-file FILE", "--no-password"] {
        assert!(e.contains(way), "{way}: {e}");
    }
    assert!(!keys.at("safe.key").exists());
    fs::write(&password, "secret\n").unwrap();
    let told = ["--password-file", arg(&password)];
    assert!(run(&[&keygen[..], &told].concat()).status.success());
    // From the standard input, as a vault of secrets gives it.
    let piped = |words: &[&str]| {
        use std::io::Write as _;
        let mut command = common::andon(&[words, &["--password-file", "-"]].concat());
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"from a vault\n").unwrap();
        child.wait().unwrap().success()
    };
    let vault = keys.at("vault");
    assert!(piped(&["model", "keygen", arg(&vault)]), "no terminal, and no file");
    let bundle = bundle(keys.dir.path(), "1", "graph 1");
    let key = keys.at("safe.key");
    let sign = ["model", "sign", arg(&bundle), "--key", arg(&key)];
    assert_eq!(run(&sign).status.code(), Some(2));
    assert!(run(&[&sign[..], &told].concat()).status.success());
    ok(&["model", "verify", arg(&bundle), "--keys", arg(&keys.at("safe.pub"))]);
}

#[test]
fn a_policy_is_shown_and_set_by_a_command() {
    let keys = Keys::new();
    let (store, ours, strangers) = (keys.at("store"), keys.at("ours.pub"), keys.at("stranger.pub"));
    let policy = ["model", "policy", arg(&store)];
    assert!(fails(2, &policy).contains("is no folder"));
    ok(&["model", "add", arg(&bundle(keys.dir.path(), "1", "graph 1")), arg(&store), "--no-run"]);
    assert!(ok(&policy).contains("there is no policy, so models need no signature"));
    let with = |more: &[&str]| common::andon(&[&policy[..], more].concat()).output().unwrap();
    let content = || fs::read_to_string(store.join("policy.json")).unwrap_or_default();
    for (more, code, says) in [
        (&["--require-signature"][..], 2, "a policy without a key"),
        (&["--trust", arg(&ours)], 1, "models without a signature are refused"),
        (&[], 1, "refused: "),
        (&["--allow-unsigned"], 0, "models without a signature are taken"),
        (&["--trust", arg(&strangers), "--distrust", arg(&ours)], 0, "are taken"),
        (&["--distrust", arg(&ours)], 1, "is not trusted, so it cannot be distrusted"),
        (&["--distrust", arg(&strangers)], 2, "for no policy at all, remove"),
    ] {
        let before = content();
        let said = with(more);
        let text = common::out(&said) + &common::err(&said);
        assert!(said.status.code() == Some(code) && text.contains(says), "{more:?}: {text}");
        assert!(code != 2 || content() == before);
    }
    let strangers = fs::read_to_string(strangers).unwrap().lines().nth(1).unwrap().to_string();
    let now: serde_json::Value = serde_json::from_str(&content()).unwrap();
    assert_eq!(now, serde_json::json!({"trusted_keys": [strangers], "require_signature": false}));
}

#[test]
fn every_command_refuses_a_graph_that_names_a_file_outside_its_bundle() {
    let keys = Keys::new();
    let bundle = keys.signed();
    // A weight `w` of four bytes: field by field as protobuf has it.
    let location = b"\x0a\x08location\x12\x0b/etc/passwd";
    let weight = [&b"\x08\x04\x10\x03\x42\x01w\x6a"[..], &[location.len() as u8], location].concat();
    let graph = [&[0x3a, weight.len() as u8 + 2, 0x2a, weight.len() as u8], &weight[..]].concat();
    let at = bundle.join("model.onnx");
    fs::write(&at, &graph).unwrap();
    let (public, secret) = (keys.at("ours.pub"), keys.at("ours.key"));
    let digest = ["model", "digest", arg(&bundle)];
    let e = fails(1, &digest);
    assert!(e.contains("the weights of 'w' name a file by an absolute path ('/etc/passwd')"), "{e}");
    // The digests of somebody who does not look.
    let text = fs::read_to_string(bundle.join("model.json")).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    manifest["digests"]["model.onnx"] = model::digest(&graph).into();
    fs::write(bundle.join("model.json"), manifest.to_string()).unwrap();
    fs::write(bundle.join("model.json.minisig"), keys.minisign(manifest.to_string().as_bytes())).unwrap();
    let (into, store) = (keys.at("into"), keys.at("store"));
    for command in [
        &["model", "check", "--no-run", arg(&bundle)][..],
        &["model", "sign", arg(&bundle), "--key", arg(&secret)],
        &["model", "verify", arg(&bundle), "--keys", arg(&public)],
        &["model", "add", "--no-run", arg(&bundle), arg(&store)],
        &["model", "init", arg(&at), "--into", arg(&into)],
        &["model", "show", arg(&bundle)],
    ] {
        let e = fails(1, command);
        assert!(e.contains("the weights of 'w' name a file by an absolute path ('/etc/passwd')"), "{command:?}: {e}");
    }
    assert!(!into.exists(), "nothing was copied");
}

#[test]
fn a_bundle_is_added_only_if_it_runs_in_the_store_and_what_was_read_is_what_runs() {
    let keys = Keys::new();
    let folder = bundle(keys.dir.path(), "1", "graph 1");
    let e = fails(1, &["model", "add", arg(&folder), arg(&keys.at("store"))]);
    assert!(e.contains("was not added, for in the store it does not run") && e.contains(".add-1"), "{e}");
    assert_eq!(fs::read_dir(keys.at("store/pcb")).unwrap().flatten().filter(|e| e.path().is_dir()).count(), 0);
    // Weights in a file of their own: once read, no file is needed any more.
    for name in ["outside.onnx", "outside.onnx.data"] {
        fs::copy(root().join("tests/data").join(name), keys.at(name)).unwrap();
    }
    let source = model::open(arg(&keys.at("outside.onnx"))).unwrap();
    assert!(!source.weights.is_empty());
    for name in ["outside.onnx", "outside.onnx.data"] {
        fs::remove_file(keys.at(name)).unwrap();
    }
    let labels = ["a", "b", "c", "d", "e"].map(String::from);
    let run = |source: &Source, n: usize| {
        let options = andon_inference::Options { labels: labels[..n].to_vec(), ..Default::default() };
        andon_inference::Engine::of(source.clone(), &options, true).map(drop).map_err(|e| e.to_string())
    };
    let tried: Vec<_> = (0..=labels.len()).map(|n| run(&source, n)).collect();
    assert!(tried.iter().any(Result::is_ok), "{tried:?}");
}
