// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Deal, Resource, Task, TaskStatus, Contribution, ContributionStatus, Category} from "./Types.sol";
import {PocoStorage, TaskSlots, ContributionSlots, Store, K} from "./Store.sol";
import {Blob} from "./Blob.sol";
import {DealData, DealRecord} from "./DealRecord.sol";
import {TaskHead, TaskRecord} from "./TaskRecord.sol";

/* Records put back into the shape clients know. */
library Views {
    function deal(bytes32 id) internal view returns (Deal memory v) {
        address blob = Blob.locate(id);
        (DealData memory d, bool found) = DealRecord.load(blob);
        if (!found) return v;
        v.app = Resource(d.app, d.appOwner, d.appPrice);
        v.dataset = Resource(d.dataset, d.datasetOwner, d.datasetPrice);
        v.workerpool = Resource(d.workerpool, d.workerpoolOwner, d.workerpoolPrice);
        v.trust = d.trust;
        v.category = d.category;
        v.tag = bytes32(d.tag);
        v.requester = d.requester;
        v.beneficiary = d.beneficiary;
        v.callback = d.callback;
        v.params = DealRecord.params(d, blob);
        v.startTime = d.startTime;
        v.botFirst = d.botFirst;
        v.botSize = d.botSize;
        v.workerStake = DealRecord.workerStake(d);
        v.schedulerRewardRatio = d.schedulerRewardRatio;
        v.sponsor = d.sponsor;
    }

    function task(bytes32 taskId) internal view returns (Task memory v) {
        TaskSlots storage t = Store.load().tasks[taskId];
        uint256 head = t.head;
        if (head == 0) return v;
        uint256 status = TaskHead.status(head);
        (DealData memory d,) = DealRecord.load(TaskHead.blob(head));
        bool atOnce = status == TaskHead.COMPLETED_AT_ONCE;
        v.status = atOnce ? TaskStatus.COMPLETED : TaskStatus(uint8(status));
        v.dealid = d.id;
        v.idx = d.botFirst + TaskRecord.offsetOf(t, head);
        v.timeref = d.timeRef;
        v.contributionDeadline = d.startTime + d.timeRef * K.CONTRIBUTION_DEADLINE_RATIO;
        v.finalDeadline = d.startTime + d.timeRef * K.FINAL_DEADLINE_RATIO;
        v.revealDeadline = TaskHead.revealDeadline(head);
        v.revealCounter = TaskHead.reveals(head);
        v.winnerCounter = TaskHead.winners(head);
        if (atOnce) {
            TaskRecord.Results memory r = TaskRecord.loadResults(t, taskId);
            v.consensusValue = TaskRecord.resultHash(taskId, r.digest);
            v.contributors = new address[](1);
            v.contributors[0] = r.worker;
            v.resultDigest = r.digest;
            v.results = r.results;
            v.resultsCallback = r.resultsCallback;
            return v;
        }
        (v.contributors,) = TaskRecord.contributors(t, taskId);
        /* A consensus shows as its deadline, which reopening clears. */
        if (v.revealDeadline != 0) v.consensusValue = TaskRecord.consensusValue(t, head);
        v.resultDigest = t.digest;
        if (status == TaskHead.COMPLETED) {
            TaskRecord.Results memory r = TaskRecord.loadResults(t, taskId);
            v.results = r.results;
            v.resultsCallback = r.resultsCallback;
        }
    }

    function contribution(bytes32 taskId, address worker) internal view returns (Contribution memory v) {
        TaskSlots storage t = Store.load().tasks[taskId];
        if (TaskHead.status(t.head) == TaskHead.COMPLETED_AT_ONCE) {
            TaskRecord.Results memory r = TaskRecord.loadResults(t, taskId);
            if (r.worker != worker) return v;
            v.status = ContributionStatus.PROVED;
            v.resultHash = TaskRecord.resultHash(taskId, r.digest);
            v.resultSeal = TaskRecord.resultSeal(worker, taskId, r.digest);
            v.enclaveChallenge = r.challenge;
            return v;
        }
        ContributionSlots storage c = Store.load().contributions[taskId][worker];
        uint256 head = c.head;
        if (head == 0) return v;
        v.status = ContributionStatus(uint8(TaskRecord.contributionStatus(head)));
        v.resultHash = TaskRecord.hashOf(t, c, head);
        v.resultSeal = c.seal;
        v.enclaveChallenge = TaskRecord.challengeOf(c, head);
        v.weight = TaskRecord.logWeight(head);
    }

    function category(uint256 id) internal view returns (Category memory) {
        PocoStorage storage $ = Store.load();
        return Category($.categoryText[id].name, $.categoryText[id].description, $.categoryTime[id] - 1);
    }
}
