// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

interface IDatasetRegistry {
    function createDataset(address owner, string calldata name, bytes calldata multiaddr, bytes32 checksum)
        external
        returns (address);
}

/* Datasets with a schema that says what is in them. */
contract DataProtector {
    event DatasetSchema(address indexed dataset, string schema);

    address public immutable registry;

    constructor(address datasetRegistry) {
        registry = datasetRegistry;
    }

    function createDatasetWithSchema(
        address _datasetOwner,
        string calldata _datasetName,
        string calldata _datasetSchema,
        bytes calldata _datasetMultiaddr,
        bytes32 _datasetChecksum
    ) external returns (address dataset) {
        dataset = IDatasetRegistry(registry)
            .createDataset(_datasetOwner, _datasetName, _datasetMultiaddr, _datasetChecksum);
        emit DatasetSchema(dataset, _datasetSchema);
    }
}
