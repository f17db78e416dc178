// SPDX-License-Identifier: MPL-2.0
//! Looks after the sources of a pipeline that plays: takes down what fails, tries it again, and lets the others go on.

use std::time::{Duration, Instant};

use anyhow::{Error, anyhow};
use gst::{MessageView, prelude::*};

use super::{
    boundary::{self, Boundary},
    branch, branches,
    policy::{Attempts, Backoff, Course, Kind, Restart, Trouble, course},
    relinks,
    source::{Source, State, Then},
};

/// How long a live source may be silent where it is started again and nothing else was said.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a branch may take to go down before that is told.
const SLOW: Duration = Duration::from_secs(10);

/// How long a live source may take to pass on the end that it was asked for, before its stream is ended in its place.
const GIVES_NO_END: Duration = Duration::from_secs(2);

/// What is done about failures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Care {
    /// What is started again.
    pub restart: Restart,
    /// How long to wait before.
    pub backoff: Backoff,
    /// How long a source may be silent: not said, never looked at, or so long.
    pub stall: Option<Option<Duration>>,
}

/// What the player has to do.
pub enum Act {
    /// Tell people.
    Note(String),
    /// End everything with this failure.
    Fail(Error),
    /// Set the pipeline to play again: what could not start was taken out.
    StartAgain,
    /// Stop everything, wait, and start it anew.
    Rebuild(Duration),
}

/// Looks after the sources of one pipeline.
pub struct Supervisor {
    pipeline: gst::Pipeline,
    care: Care,
    sources: Vec<Source>,
    whole: Attempts,
    /// Whether the pipeline's own change of state is under way.
    starting: bool,
    /// Whether that change failed and waits for a branch to be taken out.
    start_again: bool,
    /// When the end of the stream was asked for.
    ending: Option<Instant>,
    failures: Vec<String>,
}

impl Supervisor {
    /// Looks after a pipeline that does not play yet.
    pub fn new(pipeline: &gst::Pipeline, care: Care) -> Self {
        let elements = branches::sources(pipeline);
        let pads = branches::boundaries(pipeline);
        let owners = branches::owners(pipeline, &elements, &pads);
        let holds = care.restart != Restart::No;
        let boundaries: Vec<_> = pads.iter().map(|pad| Boundary::watch(pad, holds)).collect();
        if holds {
            pipeline.children().iter().for_each(relinks::keep);
        }
        let of = |source: usize| {
            let mine = boundaries.iter().zip(&owners).filter(|(_, owner)| **owner == Some(source));
            mine.map(|(boundary, _)| boundary.clone()).collect()
        };
        let sources = elements.into_iter().enumerate().map(|(i, element)| Source::new(element, of(i))).collect();
        Self {
            pipeline: pipeline.clone(),
            care,
            sources,
            whole: Attempts::default(),
            starting: true,
            start_again: false,
            ending: None,
            failures: Vec::new(),
        }
    }

    /// Returns what ended a source for good, each in a line.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Returns how often each source was started again, and the pipeline; those alone that were.
    pub fn restarts(&self) -> Vec<(String, u64)> {
        let sources = self.sources.iter().map(|s| (s.name(), s.attempts.total));
        sources.chain([("the pipeline".to_string(), self.whole.total)]).filter(|(_, n)| *n > 0).collect()
    }

    /// Returns whether every source has ended for good.
    pub fn is_over(&self) -> bool {
        self.sources.iter().all(|s| matches!(s.state, State::Over))
    }

    /// Returns whether any frame has come.
    pub fn has_played(&self) -> bool {
        self.sources.iter().any(|s| s.frames() > 0)
    }

    /// Returns whether everything moves that should: a source that plays and whose frame is held behind it for longer than
    /// `patience`, or whose branch does not go down, does not.
    pub fn moves(&self, patience: Duration) -> bool {
        self.sources.iter().all(|source| match &source.state {
            State::Plays => source.held(patience).is_none(),
            State::GoesDown { since, .. } | State::Starts { since, .. } => since.elapsed() < 2 * SLOW,
            State::Waits(_) | State::Over => true,
        })
    }

    /// Returns the sources that do not play now, in a few words, for a status line.
    pub fn down(&self) -> Vec<String> {
        self.sources.iter().filter(|s| !matches!(s.state, State::Plays)).map(Source::said).collect()
    }

    /// Takes in a message of the pipeline. None if it concerns no source; then it is for the player.
    pub fn hear(&mut self, message: &gst::Message, error: Option<&Error>) -> Option<Vec<Act>> {
        if let Some(error) = error {
            return self.failed(message.src()?, error);
        }
        let MessageView::Application(told) = message.view() else { return None };
        let said = told.structure()?;
        let number = || usize::try_from(said.get::<u64>(branch::SOURCE).ok()?).ok();
        let at_boundary = || {
            let pad = message.src()?;
            self.sources.iter().position(|s| s.boundaries.iter().any(|b| b.pad.upcast_ref::<gst::Object>() == pad))
        };
        Some(match said.name().as_str() {
            boundary::ENDED => self.trouble(at_boundary()?, Trouble::Ended),
            boundary::PASSED => self.passed(at_boundary()?),
            boundary::AGAIN => self.again(at_boundary()?),
            branch::DOWN => self.is_down(number()?),
            branch::UP => self.is_up(number()?, said.get("failed").unwrap_or(true)),
            _ => return None,
        })
    }

    /// The pipeline's own change of state has come to its end. None if that is as it is for a player without a supervisor.
    pub fn started(&mut self, failed: bool) -> Option<Vec<Act>> {
        self.starting = false;
        for source in &mut self.sources {
            source.boundaries.iter().for_each(Boundary::touch);
        }
        let mut acts = Vec::new();
        let mut taken_out = false;
        for i in 0..self.sources.len() {
            if let Some(trouble) = self.sources[i].pending.take() {
                taken_out = true;
                acts.extend(self.trouble(i, trouble));
            }
        }
        self.start_again = failed && taken_out;
        (!failed || taken_out).then_some(acts)
    }

    /// The pipeline is about to be started anew, as a whole.
    pub fn rebuilt(&mut self) {
        self.starting = true;
        for source in &mut self.sources {
            source.boundaries.iter().for_each(Boundary::forget);
            for element in source.branch() {
                element.set_locked_state(false);
            }
            source.state = State::Plays;
        }
    }

    /// Somebody asked for the end of the stream: ends pass from now on, and sources that are down are ended at their boundaries.
    pub fn end(&mut self) {
        self.ending = Some(Instant::now());
        for source in &mut self.sources {
            source.boundaries.iter().for_each(|b| b.hold(false));
            if let State::Waits(_) = source.state {
                source.state = State::Over;
                // Without a thread the stop's own limit ends the run.
                let _ = branch::end(source.boundaries.clone());
            }
        }
    }

    /// Looks at what only time tells: silence, waits that are over.
    pub fn tick(&mut self, now: Instant) -> Vec<Act> {
        let mut acts = Vec::new();
        for i in 0..self.sources.len() {
            let source = &mut self.sources[i];
            source.learn();
            let keeps_its_end = self.ending.is_some_and(|since| now - since >= GIVES_NO_END)
                && source.kind() == Kind::Live
                && !source.has_passed_its_end();
            match &mut source.state {
                State::Waits(until) if *until <= now && !self.starting => acts.extend(self.try_again(i)),
                State::GoesDown { since, told, .. } if !*told && since.elapsed() > SLOW => {
                    *told = true;
                    acts.push(Act::Note(format!("{} does not stop", source.name())));
                }
                State::Plays if !self.starting && self.ending.is_none() => acts.extend(self.look_for_silence(i)),
                State::Plays if keeps_its_end => {
                    acts.extend(self.end_for(i));
                }
                _ => {}
            }
        }
        acts
    }

    /// Ends a source's stream in its place.
    fn end_for(&mut self, i: usize) -> Vec<Act> {
        let source = &mut self.sources[i];
        source.goes_down(Then::Over);
        or_fail(branch::take_down(&self.pipeline, i, source.branch(), source.boundaries.clone()))
    }

    fn look_for_silence(&mut self, i: usize) -> Vec<Act> {
        let source = &mut self.sources[i];
        let limit = match self.care.stall {
            Some(limit) => limit.filter(|_| source.kind() != Kind::Recording),
            None => (self.care.restart != Restart::No && source.kind() == Kind::Live).then_some(SILENCE),
        };
        let Some(limit) = limit.filter(|limit| source.silent_for() >= *limit) else {
            source.told_held = false;
            return Vec::new();
        };
        if let Some(by) = source.held(limit) {
            if std::mem::replace(&mut source.told_held, true) {
                return Vec::new();
            }
            let what = format!("{}: its frame has been held for {} s by {by}", source.name(), limit.as_secs_f64());
            return vec![Act::Note(what)];
        }
        self.trouble(i, Trouble::Silent(limit))
    }

    fn failed(&mut self, by: &gst::Object, error: &Error) -> Option<Vec<Act>> {
        let element = branches::outermost(&self.pipeline, by)?;
        if let Some(i) = self.sources.iter().position(|s| s.branch().contains(&element)) {
            return Some(self.trouble(i, Trouble::Error(format!("{error:#}"))));
        }
        if self.care.restart == Restart::No || !self.has_played() || self.starting || self.ending.is_some() {
            return None;
        }
        let wait = self.whole.next(self.care.backoff, Instant::now());
        self.starting = true;
        let what = format!("{error:#}\nthe whole pipeline starts again in {} s", wait.as_secs_f64());
        Some(vec![Act::Note(what), Act::Rebuild(wait)])
    }

    /// The end of a source's stream has gone on to the sinks. A camera's stream has no end that nobody asked for, however
    /// politely it ends.
    fn passed(&mut self, i: usize) -> Vec<Act> {
        let source = &mut self.sources[i];
        source.learn();
        let is_camera = source.kind() == Kind::Live && !source.told_to_end();
        if matches!(source.state, State::Plays) && is_camera && self.ending.is_none() {
            source.state = State::Over;
            self.failures.push(source.told(&Trouble::Ended));
        }
        Vec::new()
    }

    fn trouble(&mut self, i: usize, trouble: Trouble) -> Vec<Act> {
        let others = self.sources.iter().enumerate().any(|(j, s)| j != i && !matches!(s.state, State::Over));
        let source = &mut self.sources[i];
        match &mut source.state {
            State::Plays => {}
            // One thread at a time changes its state.
            State::Starts { .. } => {
                source.pending.get_or_insert(trouble);
                return Vec::new();
            }
            // What it still says on its way down, or says again.
            State::GoesDown { .. } | State::Waits(_) | State::Over => return Vec::new(),
        }
        source.learn();
        let name = source.name();
        let restart = if self.ending.is_some() { Restart::No } else { self.care.restart };
        match course(restart, source.kind(), source.told_to_end(), &trouble, others) {
            Course::Fail if self.failures.is_empty() => vec![Act::Fail(Error::msg(source.told(&trouble)))],
            Course::Fail => {
                self.failures.push(source.told(&trouble));
                vec![Act::Fail(anyhow!("{}", self.failures.join("\n")))]
            }
            Course::PassOn => {
                source.state = State::Over;
                // Each of its streams ends where its own end comes; those that came are held.
                source.boundaries.iter().for_each(|b| b.hold(false));
                let held = source.boundaries.iter().filter(|b| b.has_ended()).cloned().collect();
                or_fail(branch::end(held))
            }
            Course::Restart | Course::EndAlone if self.starting => {
                source.pending.get_or_insert(trouble);
                Vec::new()
            }
            Course::Restart => {
                let wait = source.attempts.next(self.care.backoff, Instant::now());
                let what = format!("{}\n{name} starts again in {} s", source.told(&trouble), wait.as_secs_f64());
                source.goes_down(Then::Again(wait));
                let elements = source.branch();
                let mut acts = vec![Act::Note(what)];
                acts.extend(or_fail(branch::take_down(&self.pipeline, i, elements, Vec::new())));
                acts
            }
            Course::EndAlone => {
                let what = source.told(&trouble);
                source.goes_down(Then::Over);
                let (elements, ends) = (source.branch(), source.boundaries.clone());
                self.failures.push(what.clone());
                let mut acts = vec![Act::Note(format!("{what}\n{name} has ended; the others go on"))];
                acts.extend(or_fail(branch::take_down(&self.pipeline, i, elements, ends)));
                acts
            }
        }
    }

    fn is_down(&mut self, i: usize) -> Vec<Act> {
        let source = &mut self.sources[i];
        let State::GoesDown { then, .. } = &source.state else { return Vec::new() };
        let mut acts = Vec::new();
        source.state = match then {
            Then::Again(_) if self.ending.is_some() => {
                acts.extend(or_fail(branch::end(source.boundaries.clone())));
                State::Over
            }
            Then::Again(wait) => State::Waits(Instant::now() + *wait),
            Then::Over => State::Over,
        };
        if std::mem::take(&mut self.start_again) {
            self.starting = true;
            acts.push(Act::StartAgain);
        }
        acts
    }

    fn try_again(&mut self, i: usize) -> Vec<Act> {
        let source = &mut self.sources[i];
        source.boundaries.iter().for_each(Boundary::begin_anew);
        source.state = State::Starts { since: Instant::now() };
        or_fail(branch::bring_up(&self.pipeline, i, source.branch()))
    }

    fn is_up(&mut self, i: usize, failed: bool) -> Vec<Act> {
        let source = &mut self.sources[i];
        if !matches!(source.state, State::Starts { .. }) {
            return Vec::new();
        }
        source.state = State::Plays;
        source.boundaries.iter().for_each(Boundary::touch);
        if self.ending.is_some() {
            return self.end_for(i);
        }
        let silent = || failed.then(|| Trouble::Error(format!("{}: it does not start", source.element.name())));
        match source.pending.take().or_else(silent) {
            Some(trouble) => self.trouble(i, trouble),
            None => Vec::new(),
        }
    }

    fn again(&mut self, i: usize) -> Vec<Act> {
        let source = &mut self.sources[i];
        source.attempts.plays(Instant::now());
        source.remember();
        match source.down_since.take() {
            Some(since) => {
                let (name, gone) = (source.name(), since.elapsed().as_secs_f64());
                vec![Act::Note(format!(
                    "{name} gives frames again, after {gone:.1} s (restart {})",
                    source.attempts.total
                ))]
            }
            None => Vec::new(),
        }
    }
}

/// What is to be done where a thread could not be had.
fn or_fail(started: std::io::Result<()>) -> Vec<Act> {
    started.err().map(|e| Act::Fail(anyhow!("there is no thread to restart a source: {e}"))).into_iter().collect()
}
