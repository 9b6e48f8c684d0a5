// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Registry} from "./Registry.sol";
import {App, Dataset, Workerpool} from "./Entry.sol";

/* The three registries: each makes its own master when it is deployed. */

contract AppRegistry is Registry {
    constructor() Registry(address(new App()), "iExec Application Registry (V5)", "iExecAppsV5") {}

    function createApp(
        address _appOwner,
        string calldata _appName,
        string calldata _appType,
        bytes calldata _appMultiaddr,
        bytes32 _appChecksum,
        bytes calldata _appMREnclave
    ) external returns (address) {
        return create(
            abi.encodeCall(App.initialize, (_appName, _appType, _appMultiaddr, _appChecksum, _appMREnclave)),
            _appOwner,
            abi.encodePacked(
                _appChecksum, fields(bytes(_appName), bytes(_appType)), fields(_appMultiaddr, _appMREnclave)
            )
        );
    }

    function fields(bytes calldata a, bytes calldata b) private pure returns (bytes memory) {
        return abi.encodePacked(uint32(a.length), a, uint32(b.length), b);
    }

    function predictApp(
        address _appOwner,
        string calldata _appName,
        string calldata _appType,
        bytes calldata _appMultiaddr,
        bytes32 _appChecksum,
        bytes calldata _appMREnclave
    ) external view returns (address) {
        return predict(
            abi.encodeCall(App.initialize, (_appName, _appType, _appMultiaddr, _appChecksum, _appMREnclave)), _appOwner
        );
    }
}

contract DatasetRegistry is Registry {
    constructor() Registry(address(new Dataset()), "iExec Dataset Registry (V5)", "iExecDatasetsV5") {}

    function createDataset(
        address _datasetOwner,
        string calldata _datasetName,
        bytes calldata _datasetMultiaddr,
        bytes32 _datasetChecksum
    ) external returns (address) {
        return create(
            abi.encodeCall(Dataset.initialize, (_datasetName, _datasetMultiaddr, _datasetChecksum)),
            _datasetOwner,
            abi.encodePacked(
                _datasetChecksum,
                uint32(bytes(_datasetName).length),
                _datasetName,
                uint32(_datasetMultiaddr.length),
                _datasetMultiaddr
            )
        );
    }

    function predictDataset(
        address _datasetOwner,
        string calldata _datasetName,
        bytes calldata _datasetMultiaddr,
        bytes32 _datasetChecksum
    ) external view returns (address) {
        return predict(
            abi.encodeCall(Dataset.initialize, (_datasetName, _datasetMultiaddr, _datasetChecksum)), _datasetOwner
        );
    }
}

contract WorkerpoolRegistry is Registry {
    constructor() Registry(address(new Workerpool()), "iExec Workerpool Registry (V5)", "iExecWorkerpoolV5") {}

    function createWorkerpool(address _workerpoolOwner, string calldata _workerpoolDescription)
        external
        returns (address)
    {
        return create(
            abi.encodeCall(Workerpool.initialize, (_workerpoolDescription)),
            _workerpoolOwner,
            abi.encodePacked(uint32(bytes(_workerpoolDescription).length), _workerpoolDescription)
        );
    }

    function predictWorkerpool(address _workerpoolOwner, string calldata _workerpoolDescription)
        external
        view
        returns (address)
    {
        return predict(abi.encodeCall(Workerpool.initialize, (_workerpoolDescription)), _workerpoolOwner);
    }
}
