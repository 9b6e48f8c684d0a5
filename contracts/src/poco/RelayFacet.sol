// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder} from "../lib/Types.sol";

/* Orders published as events, unchecked. */
contract RelayFacet {
    event BroadcastAppOrder(AppOrder apporder);
    event BroadcastDatasetOrder(DatasetOrder datasetorder);
    event BroadcastWorkerpoolOrder(WorkerpoolOrder workerpoolorder);
    event BroadcastRequestOrder(RequestOrder requestorder);

    function broadcastAppOrder(AppOrder calldata order) external {
        emit BroadcastAppOrder(order);
    }

    function broadcastDatasetOrder(DatasetOrder calldata order) external {
        emit BroadcastDatasetOrder(order);
    }

    function broadcastWorkerpoolOrder(WorkerpoolOrder calldata order) external {
        emit BroadcastWorkerpoolOrder(order);
    }

    function broadcastRequestOrder(RequestOrder calldata order) external {
        emit BroadcastRequestOrder(order);
    }
}
