// SPDX-License-Identifier: MPL-2.0
//! Requests for frames still to come, and the tag that each request gives to the next frame.

use std::sync::Arc;

use crate::trigger::{Role, Tag, Trigger};

/// A request with frames still to come.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) trigger: Trigger,
    pub(crate) reason: Arc<str>,
    /// Hits still to come.
    pub(crate) hits: u32,
    /// Frames after the hits, still to come.
    pub(crate) post: u32,
    /// The next frame's distance from the first hit.
    pub(crate) offset: i64,
}

/// All requests under way.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pending: Vec<Pending>,
}

impl Plan {
    /// Adds a request. Of every trigger but the action, only the newest request is under way.
    pub(crate) fn add(&mut self, new: Pending) {
        if new.trigger != Trigger::Action {
            self.pending.retain(|p| p.trigger != new.trigger);
        }
        if new.hits > 0 || new.post > 0 {
            self.pending.push(new);
        }
    }

    /// Returns the number of requests under way.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Drops all requests.
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
    }

    /// Adds to `tags` what each request says of the next frame.
    pub(crate) fn next(&mut self, tags: &mut Vec<Tag>) {
        if self.pending.is_empty() {
            return;
        }
        self.pending.retain_mut(|p| {
            let role = if p.hits > 0 { Role::Hit } else { Role::Post };
            match role {
                Role::Hit => p.hits -= 1,
                _ => p.post -= 1,
            }
            tags.push(Tag { trigger: p.trigger, reason: p.reason.clone(), role, offset: p.offset });
            p.offset += 1;
            p.hits > 0 || p.post > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(trigger: Trigger, hits: u32, post: u32) -> Pending {
        Pending { trigger, reason: "r".into(), hits, post, offset: 0 }
    }

    fn roles(plan: &mut Plan, frames: usize) -> Vec<Vec<(Role, i64)>> {
        (0..frames)
            .map(|_| {
                let mut tags = Vec::new();
                plan.next(&mut tags);
                tags.iter().map(|t| (t.role, t.offset)).collect()
            })
            .collect()
    }

    #[test]
    fn hits_come_first_and_then_what_follows_them() {
        let mut plan = Plan::default();
        plan.add(pending(Trigger::Action, 2, 1));
        assert_eq!(
            roles(&mut plan, 4),
            vec![vec![(Role::Hit, 0)], vec![(Role::Hit, 1)], vec![(Role::Post, 2)], vec![]]
        );
    }

    #[test]
    fn a_new_hit_of_the_same_trigger_starts_its_post_roll_again() {
        let mut plan = Plan::default();
        plan.add(pending(Trigger::Ng, 1, 2));
        roles(&mut plan, 2);
        plan.add(pending(Trigger::Ng, 1, 2));
        assert_eq!(plan.len(), 1);
        assert_eq!(
            roles(&mut plan, 4),
            vec![vec![(Role::Hit, 0)], vec![(Role::Post, 1)], vec![(Role::Post, 2)], vec![]]
        );
    }

    #[test]
    fn actions_run_beside_each_other() {
        let mut plan = Plan::default();
        plan.add(pending(Trigger::Action, 1, 0));
        plan.add(pending(Trigger::Action, 2, 0));
        assert_eq!(roles(&mut plan, 2), vec![vec![(Role::Hit, 0), (Role::Hit, 0)], vec![(Role::Hit, 1)]]);
    }
}
