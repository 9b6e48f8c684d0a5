// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EIP712Domain} from "../lib/Types.sol";
import {PocoStorage, Store, K} from "../lib/Store.sol";
import {LibDiamond} from "../lib/Diamond.sol";
import {OrderHash} from "../lib/OrderHash.sol";

interface IV3Hub {
    function viewScore(address worker) external view returns (uint256);
}

/* What the owner sets, categories included, and the signing domain. */
contract ConfigurationFacet {
    event CreateCategory(uint256 catid, string name, string description, uint256 workClockTimeRef);

    string private constant DOMAIN_NAME = "iExecODB";
    string private constant DOMAIN_VERSION = "5.0.0";

    modifier onlyOwner() {
        require(msg.sender == LibDiamond.load().owner, "Ownable: caller is not the owner");
        _;
    }

    function configure(
        address token,
        string calldata name,
        string calldata symbol,
        uint8 decimals,
        address appRegistry,
        address datasetRegistry,
        address workerpoolRegistry,
        address v3Hub
    ) external onlyOwner {
        PocoStorage storage $ = Store.load();
        require($.domainSeparator == 0, "already-configured");
        $.domainSeparator = separator();
        $.token = token;
        $.name = name;
        $.symbol = symbol;
        $.decimals = decimals;
        $.appRegistry = appRegistry;
        $.datasetRegistry = datasetRegistry;
        $.workerpoolRegistry = workerpoolRegistry;
        $.v3Hub = v3Hub;
        $.callbackGas = K.DEFAULT_CALLBACK_GAS;
    }

    function domain() external view returns (EIP712Domain memory) {
        return EIP712Domain(DOMAIN_NAME, DOMAIN_VERSION, block.chainid, address(this));
    }

    function updateDomainSeparator() external {
        PocoStorage storage $ = Store.load();
        require($.domainSeparator != 0, "not-configured");
        $.domainSeparator = separator();
    }

    function importScore(address worker) external {
        PocoStorage storage $ = Store.load();
        require(!$.scoreImported[worker], "score-already-imported");
        uint256 score = IV3Hub($.v3Hub).viewScore(worker);
        if (score > $.scores[worker]) $.scores[worker] = score;
        $.scoreImported[worker] = true;
    }

    function setTeeBroker(address broker) external onlyOwner {
        Store.load().teeBroker = broker;
    }

    function setCallbackGas(uint256 gas_) external onlyOwner {
        Store.load().callbackGas = gas_;
    }

    function changeRegistries(address appRegistry, address datasetRegistry, address workerpoolRegistry)
        external
        onlyOwner
    {
        PocoStorage storage $ = Store.load();
        $.appRegistry = appRegistry;
        $.datasetRegistry = datasetRegistry;
        $.workerpoolRegistry = workerpoolRegistry;
    }

    function createCategory(string calldata name, string calldata description, uint256 workClockTimeRef)
        external
        onlyOwner
        returns (uint256 id)
    {
        PocoStorage storage $ = Store.load();
        /* Deadlines of such a category could not be computed: no deal could ever end. */
        require(workClockTimeRef < K.MAX_CATEGORY_TIME, "category-time-too-long");
        id = $.categoryCount++;
        $.categoryTime[id] = workClockTimeRef + 1;
        $.categoryText[id].name = name;
        $.categoryText[id].description = description;
        emit CreateCategory(id, name, description, workClockTimeRef);
    }

    function separator() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                OrderHash.DOMAIN_TYPE,
                keccak256(bytes(DOMAIN_NAME)),
                keccak256(bytes(DOMAIN_VERSION)),
                block.chainid,
                address(this)
            )
        );
    }
}
