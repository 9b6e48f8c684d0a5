// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Deal, Task, TaskStatus, Contribution, ContributionStatus, Category} from "../lib/Types.sol";
import {Store} from "../lib/Store.sol";
import {Ledger} from "../lib/Ledger.sol";
import {Views} from "../lib/Views.sol";

/* Flat tuples for clients that decode no structs. */
contract LegacyAccessorsFacet {
    function viewAccountABILegacy(address account) external view returns (uint256, uint256) {
        return (Ledger.balance(account), Ledger.frozen(account));
    }

    function viewDealABILegacy_pt1(bytes32 id)
        external
        view
        returns (address, address, uint256, address, address, uint256, address, address, uint256)
    {
        Deal memory d = Views.deal(id);
        return (
            d.app.pointer,
            d.app.owner,
            d.app.price,
            d.dataset.pointer,
            d.dataset.owner,
            d.dataset.price,
            d.workerpool.pointer,
            d.workerpool.owner,
            d.workerpool.price
        );
    }

    function viewDealABILegacy_pt2(bytes32 id)
        external
        view
        returns (uint256, bytes32, address, address, address, string memory)
    {
        Deal memory d = Views.deal(id);
        return (d.trust, d.tag, d.requester, d.beneficiary, d.callback, d.params);
    }

    function viewConfigABILegacy(bytes32 id)
        external
        view
        returns (uint256, uint256, uint256, uint256, uint256, uint256)
    {
        Deal memory d = Views.deal(id);
        return (d.category, d.startTime, d.botFirst, d.botSize, d.workerStake, d.schedulerRewardRatio);
    }

    function viewTaskABILegacy(bytes32 id)
        external
        view
        returns (
            TaskStatus,
            bytes32,
            uint256,
            uint256,
            uint256,
            uint256,
            uint256,
            bytes32,
            uint256,
            uint256,
            address[] memory,
            bytes memory
        )
    {
        Task memory t = Views.task(id);
        return (
            t.status,
            t.dealid,
            t.idx,
            t.timeref,
            t.contributionDeadline,
            t.revealDeadline,
            t.finalDeadline,
            t.consensusValue,
            t.revealCounter,
            t.winnerCounter,
            t.contributors,
            t.results
        );
    }

    function viewContributionABILegacy(bytes32 id, address worker)
        external
        view
        returns (ContributionStatus, bytes32, bytes32, address)
    {
        Contribution memory c = Views.contribution(id, worker);
        return (c.status, c.resultHash, c.resultSeal, c.enclaveChallenge);
    }

    function viewCategoryABILegacy(uint256 id) external view returns (string memory, string memory, uint256) {
        if (id >= Store.load().categoryCount) {
            /* the panic of an array read out of bounds */
            assembly ("memory-safe") {
                mstore(0, shl(224, 0x4e487b71))
                mstore(4, 0x32)
                revert(0, 36)
            }
        }
        Category memory c = Views.category(id);
        return (c.name, c.description, c.workClockTimeRef);
    }
}
