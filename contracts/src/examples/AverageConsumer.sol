// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Deal, Task} from "../lib/Types.sol";

interface IHubViews {
    function viewDeal(bytes32 id) external view returns (Deal memory);

    function viewTask(bytes32 id) external view returns (Task memory);
}

/*
 * An example of a contract that is told results: it keeps the newest average that the iApp chain-average computed of
 * one protected data set. Name it as callback of a run:
 *
 *     strongroom run APP --data DATA --callback THIS
 *
 * Anybody may make such a run and anybody may call receiveResult, so this is what it asks: the caller is the hub; the
 * deal is of this app, on this data, in an enclave. What the arguments of a run can change must not matter to a
 * consumer; chain-average has none. There are 200000 gas, and a failure here fails nothing but the callback.
 */
contract AverageConsumer {
    struct Reading {
        int128 average; // millionths
        uint64 count;
        uint64 time; // of the deal
    }

    event AverageTold(bytes32 indexed task, int256 average, uint256 count);

    error NotTheHub(address caller);
    error NotTheData(bytes32 task);
    error NotNewer(bytes32 task);

    IHubViews public immutable hub;
    address public immutable app;
    address public immutable data;
    Reading public reading;

    constructor(address hub_, address app_, address data_) {
        hub = IHubViews(hub_);
        app = app_;
        data = data_;
    }

    function receiveResult(bytes32 task, bytes calldata result) external {
        if (msg.sender != address(hub)) revert NotTheHub(msg.sender);
        Deal memory d = hub.viewDeal(hub.viewTask(task).dealid);
        if (d.app.pointer != app || d.dataset.pointer != data || d.tag & bytes32(uint256(1)) == 0) {
            revert NotTheData(task);
        }
        if (d.startTime <= reading.time) revert NotNewer(task);
        (int256 average, uint256 count) = abi.decode(result, (int256, uint256));
        reading = Reading(int128(average), uint64(count), uint64(d.startTime));
        emit AverageTold(task, average, count);
    }
}
