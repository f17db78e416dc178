// SPDX-License-Identifier: MPL-2.0
//! What a check finds: each finding says what is wrong, where, and what to do.

use serde::Serialize;

/// What a finding is about: a word for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// A variable of the file.
    Variable,
    /// The text itself: quotes, links without an element.
    Text,
    /// An element that is not there.
    Element,
    /// The name of an element.
    Name,
    /// A property that an element does not have.
    Property,
    /// A value that a property does not take.
    Value,
    /// Two elements that cannot be linked, or a pad that nothing is linked to.
    Link,
    /// Two elements that have no format in common.
    Caps,
    /// A branch that waits for another for ever.
    Deadlock,
    /// A model, a store or an alias.
    Model,
    /// A file, a folder or a device.
    File,
    /// A drift reference.
    Reference,
    /// What a part is.
    Part,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub topic: Topic,
    /// The line of the file, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

impl Finding {
    /// Makes a finding.
    pub fn new(topic: Topic, line: usize, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { topic, line, what: what.into(), cure: cure.into() }
    }
}

/// All that was found: problems keep the pipeline from doing its work, warnings may.
#[derive(Debug, Default)]
pub struct Findings {
    /// What keeps the pipeline from starting, or from judging.
    pub problems: Vec<Finding>,
    /// What a person should know.
    pub warnings: Vec<Finding>,
}

impl Findings {
    /// Adds a problem.
    pub fn problem(&mut self, topic: Topic, line: usize, what: impl Into<String>, cure: impl Into<String>) {
        Self::add(&mut self.problems, Finding::new(topic, line, what, cure));
    }

    /// Adds a warning.
    pub fn warning(&mut self, topic: Topic, line: usize, what: impl Into<String>, cure: impl Into<String>) {
        Self::add(&mut self.warnings, Finding::new(topic, line, what, cure));
    }

    /// Puts the findings in the order of the file.
    pub fn sort(&mut self) {
        self.problems.sort_by_key(|f| f.line);
        self.warnings.sort_by_key(|f| f.line);
    }

    fn add(all: &mut Vec<Finding>, finding: Finding) {
        if !all.contains(&finding) {
            all.push(finding);
        }
    }
}
